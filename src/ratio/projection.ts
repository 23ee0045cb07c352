import { BcodError } from '../errors.js'
import { mix32 } from './mix.js'

/** Wider embeddings are projected to this. */
export const MAX_WIDTH = 256

/** Non-zeros that each input coordinate has in the projection, each ±1/√8. */
const NON_ZEROS = 8

/**
 * A random linear map to at most `maxWidth` dimensions which keeps inner products in expectation: the sparse transform
 * of Kane and Nelson (J. ACM 2014), one non-zero in each of 8 blocks of rows. A pure function of seed and width;
 * narrower inputs pass unchanged.
 */
export class Projection {
  private readonly rows: Int32Array
  private readonly signs: Float64Array
  readonly width: number

  /** @param maxWidth a multiple of 8 */
  constructor(
    readonly inputWidth: number,
    maxWidth: number,
    seed: number,
  ) {
    this.width = Math.min(inputWidth, maxWidth)
    const entries = inputWidth > maxWidth ? NON_ZEROS * inputWidth : 0
    this.rows = new Int32Array(entries)
    this.signs = new Float64Array(entries)
    const block = maxWidth / NON_ZEROS
    if (entries > 0 && !Number.isInteger(block))
      throw new BcodError('INTERNAL', 'projection width is not a multiple of 8')
    const random = splitMix32(seed)
    for (let i = 0; i < entries; i++) {
      const bits = random()
      this.rows[i] = (i % NON_ZEROS) * block + ((bits >>> 1) % block)
      this.signs[i] = (bits & 1 ? 1 : -1) / Math.sqrt(NON_ZEROS)
    }
  }

  /** @returns shape [width + 1], the last element 1, for the intercept */
  withIntercept(embedding: ArrayLike<number>): Float64Array {
    if (embedding.length !== this.inputWidth) {
      throw new BcodError('INTERNAL', `prompt embedding of width ${embedding.length}, expected ${this.inputWidth}`)
    }
    const out = new Float64Array(this.width + 1)
    out[this.width] = 1
    if (this.rows.length === 0) out.set(embedding)
    for (let i = 0; i < this.rows.length; i++) out[this.rows[i]!]! += this.signs[i]! * embedding[(i / NON_ZEROS) | 0]!
    return out
  }
}

/** 32 random bits at each call (Steele et al., OOPSLA 2014, as finalised by MurmurHash3). */
function splitMix32(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    return mix32(state)
  }
}
