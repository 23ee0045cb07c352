import type { Golden } from './golden.js'
import type { Questions } from './questions.js'

/** What is answered: golden prompts, or others without their rules. */
export interface AskedPrompts {
  readonly name: string
  readonly rows: readonly Pick<Golden['rows'][number], 'name' | 'line' | 'promptTokens' | 'maxTokens'>[]
}

const ANSWER_TOKENS = 64

/**
 * The first prompt of each probe file that leaves room for an answer: what to ask if no golden prompt is configured.
 *
 * @param maxLength  of prompt and answer together, in tokens
 */
export function probePrompts({ probes }: Pick<Questions, 'probes'>, maxLength: number): readonly AskedPrompts[] {
  const maxTokens = Math.min(ANSWER_TOKENS, Math.floor(maxLength / 2))
  return probes.flatMap(({ probe }) => {
    const name = `probe:${probe.name}`
    const first = probe.rows.find(({ chosen }) => chosen.promptTokens.length + maxTokens <= maxLength)
    if (first === undefined) return []
    const { promptTokens } = first.chosen
    return [{ name, rows: [{ name, line: first.line, promptTokens, maxTokens }] }]
  })
}
