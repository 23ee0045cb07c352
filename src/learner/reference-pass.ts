import type { Later } from '../engine/index.js'
import { BcodError } from '../errors.js'
import { type BatchRunner, rowsOf } from './batch-runner.js'
import type { BeginningShapes } from './beginnings.js'
import { type BeginningCounts, type Known, KnownBeginnings } from './known-beginnings.js'
import type { BatchLayout, PackedBatch } from './packed-batch.js'
import { behind } from './reference-plan.js'
import type { TokenPair } from './token-trees.js'

export interface ReferencePassOptions {
  readonly shapes: BeginningShapes
  /** Bytes of beginnings that are kept. */
  readonly cache: number
  /** D, of the last hidden state. */
  readonly hiddenSize: number
}

/** What the reference computes of each row of a packed batch. */
export interface ReferenceRows {
  /** log πref(y|x) */
  readonly logps: readonly number[]
  /** Mean-pooled last hidden state of the prompt, [D]. */
  readonly embeddings: readonly Float64Array[]
}

/** A beginning that is known to the reference. */
export interface Beginning extends Known {
  /** How many tokens it has. */
  readonly length: number
}

/** What the frozen reference says of events, and what it knows already of how they begin. */
export class ReferencePass {
  readonly #known: KnownBeginnings

  constructor(
    private readonly runner: BatchRunner,
    private readonly options: ReferencePassOptions,
  ) {
    this.#known = new KnownBeginnings(options.cache)
  }

  /** Shapes for events that begin alike. */
  get shapes(): BeginningShapes {
    return this.options.shapes
  }

  /** What became of beginnings since the session was made. */
  get counts(): BeginningCounts {
    return this.#known.counts
  }

  /** log πref(y|x) and the prompt's embedding [D] of each row of a packed batch. */
  prepare(events: readonly TokenPair[], layout: BatchLayout, place = 0): Later<ReferenceRows> {
    const wait = this.runner.start('prepare', events, layout, place)
    return () => {
      const { outputs, promptParts } = wait()
      return { logps: rowsOf(events, outputs.logps), embeddings: this.#embeddings(events, outputs.sums, promptParts) }
    }
  }

  /**
   * A beginning under the reference. It is always computed by itself, so it has the same bits whether it was known or not.
   */
  begin(tokens: readonly number[]): Beginning {
    const shape = this.shapes.alone.find((each) => each.tokens >= tokens.length)
    if (shape === undefined) throw new BcodError('INTERNAL', `no shape has room for a beginning of ${tokens.length}`)
    const known = this.#known.get(tokens, () => {
      const pair = { promptTokens: tokens, completionTokens: [] }
      const { keys, values, sums } = this.runner.start('begin', [pair], { shape, trees: [1] }, 0)().outputs as Floats
      return { keys: keys!, values: values!, sum: sums!.slice(0, this.options.hiddenSize) }
    })
    return { ...known, length: tokens.length }
  }

  /** As `prepare`, of events that have a beginning in common. */
  continue(events: readonly TokenPair[], layout: BatchLayout, beginning: Beginning, place = 0): Later<ReferenceRows> {
    const { keys, values, sum, length } = beginning
    const rests = events.map((event) => behind(event, length))
    const beside = { before: length, inputs: { keys, values, count: length } }
    const wait = this.runner.start('continue', rests, layout, place, beside)
    return () => {
      const { outputs, promptParts } = wait()
      const embeddings = this.#embeddings(events, outputs.sums, promptParts, sum)
      return { logps: rowsOf(events, outputs.logps), embeddings }
    }
  }

  /**
   * Means of the last hidden state over prompts.
   *
   * @param sums      over the parts of prompts
   * @param beginning sum over tokens that all prompts begin with and that are in no part
   */
  #embeddings(
    events: readonly TokenPair[],
    sums: ArrayLike<number> | undefined,
    promptParts: PackedBatch['promptParts'],
    beginning?: Float32Array,
  ): readonly Float64Array[] {
    const width = this.options.hiddenSize
    return events.map(({ promptTokens }, row) => {
      const mean = Float64Array.from({ length: width }, (_, i) => beginning?.[i] ?? 0)
      for (const part of promptParts[row] as readonly number[])
        for (let i = 0; i < width; i++) (mean[i] as number) += sums?.[part * width + i] as number
      return mean.map((sum) => Math.fround(sum / Math.max(1, promptTokens.length)))
    })
  }
}

type Floats = Readonly<Record<string, Float32Array>>
