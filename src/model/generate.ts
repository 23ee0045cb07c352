import type { Session } from '../engine/index.js'
import type { DecoderSpec } from './decoder.js'
import { seededRandom } from './random.js'

export interface SamplingOptions {
  readonly maxTokens: number
  /** 0 takes the likeliest token each time. */
  readonly temperature: number
  readonly seed: number
  /** A sequence ends with any of these; the end token is part of the answer. */
  readonly eosIds: ReadonlySet<number>
}

/**
 * Samples one answer for each prompt with the decoder's adapter. Prompts that leave no room for an answer in
 * the decoder's cache lose tokens from their left.
 *
 * @param prompts  at most as many as the decoder has rows
 * @returns token ids of the answers; the end token closes those that ended by themselves. null if the model gave an
 *   answer no probability: its logits are NaN or infinite.
 */
export function generate(
  session: Session,
  shape: DecoderSpec,
  prompts: readonly (readonly number[])[],
  options: SamplingOptions,
): readonly (readonly number[])[] | null {
  if (prompts.length > shape.rows) throw new Error(`${prompts.length} prompts, the decoder takes ${shape.rows}`)
  const room = Math.max(1, shape.length - options.maxTokens)
  const cut = prompts.map((prompt) => prompt.slice(-room))
  const longest = Math.max(1, ...cut.map((prompt) => prompt.length))
  const starts = new Int32Array(shape.rows).fill(longest - 1)
  cut.forEach((prompt, row) => {
    starts[row] = longest - prompt.length
  })
  const random = seededRandom(options.seed, 'sampling')
  const word = () => Math.floor(random() * 2 ** 32) | 0
  const answers: number[][] = prompts.map(() => [])
  const open = new Set(prompts.keys())
  const tokens = new Int32Array(shape.rows)
  const last = Math.min(shape.length, longest + options.maxTokens) - 1
  for (let position = 0; position < last && open.size > 0; position++) {
    for (const [row, prompt] of cut.entries()) {
      const index = position - (starts[row] as number)
      const answer = answers[row] as number[]
      tokens[row] = prompt[index] ?? answer[index - prompt.length] ?? 0
    }
    const seed = Int32Array.of(word(), word())
    const { next, finite } = session.run(shape.name, {
      tokens,
      position,
      starts,
      seed,
      temperature: Float32Array.of(options.temperature),
    })
    if (position < longest - 1) continue
    for (const row of open) {
      if (finite?.[row] !== 1) return null
      const token = next?.[row] as number
      answers[row]?.push(token)
      if (options.eosIds.has(token) || (answers[row]?.length ?? 0) >= options.maxTokens) open.delete(row)
    }
  }
  return answers
}
