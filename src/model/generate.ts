import type { Fetched, InputValue, Later } from '../engine/index.js'
import { type DecoderSpec, emptyCacheName } from './decoder.js'
import { type Random, seededRandom } from './random.js'

export interface SamplingOptions {
  readonly maxTokens: number
  /** 0 takes the likeliest token each time. */
  readonly temperature: number
  readonly seed: number
  /** A sequence ends with any of these; the end token is part of the answer. */
  readonly eosIds: ReadonlySet<number>
}

/** A prompt that is answered with random numbers of its own. */
export interface Sample {
  readonly prompt: readonly number[]
  /** Which of all samples of the seed it is. */
  readonly index: number
}

/** Begins a run of a program where the samples are drawn. */
export type Start = (program: string, inputs?: Readonly<Record<string, InputValue>>) => Later<Fetched>

/**
 * Samples one answer for each prompt with the decoder's adapter, a run after the other: yields each once it has begun,
 * and takes what it has computed. Prompts that leave no room for an answer in the decoder's cache lose tokens from their
 * left.
 *
 * @param samples  at most as many as the decoder has rows
 * @returns token ids of the answers; the end token closes those that ended by themselves. null if the model gave an
 *   answer no probability: its logits are NaN or infinite.
 */
export function* sampleAnswers(
  decoder: DecoderSpec,
  samples: readonly Sample[],
  options: SamplingOptions,
  start: Start,
): Generator<Later<Fetched>, readonly (readonly number[])[] | null, Fetched> {
  const { length, name, rows: B } = decoder
  if (samples.length > B) throw new Error(`${samples.length} samples, the decoder takes ${B}`)
  const room = Math.max(1, length - options.maxTokens)
  const rows = samples.map((sample) => new Row(sample, room, options))
  const temperature = Float32Array.of(options.temperature)
  yield start(emptyCacheName(decoder))
  for (let position = 0; position < length - 1 && rows.some(({ isOpen }) => isOpen); position++) {
    const [tokens, seeds] = [new Int32Array(B), new Int32Array(2 * B)]
    for (const [i, row] of rows.entries()) {
      tokens[i] = row.tokenAt(position)
      if (row.answersAt(position)) seeds.set(row.nextSeed(), 2 * i)
    }
    const { next, finite } = yield start(name, { tokens, position, seeds, temperature })
    for (const [i, row] of rows.entries()) {
      if (!row.answersAt(position)) continue
      if (finite?.[i] !== 1) return null
      row.answer.push(next?.[i] as number)
    }
  }
  return rows.map(({ answer }) => answer)
}

/** A sample on its way. */
class Row {
  readonly answer: number[] = []
  readonly #prompt: readonly number[]
  readonly #random: Random

  constructor(
    { prompt, index }: Sample,
    room: number,
    private readonly options: SamplingOptions,
  ) {
    this.#prompt = prompt.length === 0 ? [0] : prompt.slice(-room)
    this.#random = seededRandom(options.seed, `sample ${index}`)
  }

  get isOpen(): boolean {
    const last = this.answer.at(-1)
    return this.answer.length < this.options.maxTokens && (last === undefined || !this.options.eosIds.has(last))
  }

  tokenAt(position: number): number {
    return this.#prompt[position] ?? this.answer[position - this.#prompt.length] ?? 0
  }

  /** Whether what follows this position is a token of the answer. */
  answersAt(position: number): boolean {
    return this.isOpen && position >= this.#prompt.length - 1
  }

  nextSeed(): readonly [number, number] {
    const word = () => Math.floor(this.#random() * 2 ** 32) | 0
    return [word(), word()]
  }
}
