import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { tf } from './tensorflow.js'
import type { Variable } from './variable.js'

/** A run of a vector's numbers, and where it lies in one of its parts. */
interface Run {
  readonly part: number
  readonly size: number
  readonly inVector: number
  readonly inPart: number
}

/** A vector cut into one part for each stage: the numbers of its slots, in the order that they have in the vector. */
export class VectorPartition {
  readonly #runs: readonly Run[]
  /** By part. */
  readonly #sizes: readonly number[]

  /** @param slots  in their order; there is a slot of every stage */
  constructor(slots: readonly { readonly size: number; readonly stage: number }[]) {
    const sizes: number[] = Array.from({ length: Math.max(0, ...slots.map(({ stage }) => stage)) + 1 }, () => 0)
    const runs: { -readonly [K in keyof Run]: Run[K] }[] = []
    let offset = 0
    for (const { size, stage } of slots) {
      const last = runs.at(-1)
      if (last?.part === stage) last.size += size
      else runs.push({ part: stage, size, inVector: offset, inPart: sizes[stage] as number })
      ;(sizes[stage] as number) += size
      offset += size
    }
    this.#runs = runs
    this.#sizes = sizes
  }

  /** Whether there is one part, the vector itself. */
  get isWhole(): boolean {
    return this.#sizes.length === 1
  }

  /** Variables for the parts of a vector. */
  variables(name: string): readonly Variable[] {
    if (this.isWhole) return [{ name, shape: [...this.#sizes], dtype: 'float32' }]
    return this.#sizes.map((size, stage) => ({
      name: `${name}.stage_${stage}`,
      shape: [size],
      dtype: 'float32',
      stage,
    }))
  }

  parted(vector: Tensor): readonly Tensor[] {
    if (this.isWhole) return [vector]
    return this.#sizes.map((_, part) =>
      joined(this.#of(part).map(({ inVector, size }) => tf.slice(vector, [inVector], [size]))),
    )
  }

  /** The inverse of `parted`. */
  joined(parts: readonly Tensor[]): Tensor {
    if (this.isWhole) return parts[0] as Tensor
    return joined(this.#runs.map(({ part, inPart, size }) => tf.slice(parts[part] as Tensor, [inPart], [size])))
  }

  /** As `parted`, on the host. */
  partedValues(vector: Float32Array): readonly Float32Array[] {
    if (this.isWhole) return [vector]
    return this.#sizes.map((length, part) => {
      const values = new Float32Array(length)
      for (const { inVector, inPart, size } of this.#of(part))
        values.set(vector.subarray(inVector, inVector + size), inPart)
      return values
    })
  }

  /** As `joined`, on the host. */
  joinedValues(parts: readonly Float32Array[]): Float32Array {
    if (this.isWhole) return parts[0] as Float32Array
    const vector = new Float32Array(this.#sizes.reduce((sum, size) => sum + size, 0))
    for (const { part, inVector, inPart, size } of this.#runs)
      vector.set((parts[part] as Float32Array).subarray(inPart, inPart + size), inVector)
    return vector
  }

  #of(part: number): readonly Run[] {
    return this.#runs.filter((run) => run.part === part)
  }
}

const joined = (runs: Tensor[]): Tensor => (runs.length === 1 ? (runs[0] as Tensor) : tf.concat(runs))
