import { basename, extname } from 'node:path'
import type { TextService } from '../text/text-process.js'
import { type Check, finding } from './check.js'
import { type GoldenRow, readGoldenRows } from './golden-file.js'

/** A file of golden prompts: questions whose greedy answers must have a certain form. */
export interface Golden {
  /** The file's name without its ending. */
  readonly name: string
  readonly rows: readonly (GoldenRow & { readonly promptTokens: readonly number[] })[]
}

/** @throws GATE_GOLDEN_INVALID with file:line, FILE_UNREADABLE, CHAT_TEMPLATE_MISSING */
export async function readGolden(path: string, text: TextService, maxLength: number): Promise<Golden> {
  const rows = await readGoldenRows(path, maxLength)
  const encoded = rows.map(async (row) => ({
    ...row,
    promptTokens: await text.encodePrompt(row.prompt, maxLength - row.maxTokens),
  }))
  return { name: basename(path, extname(path)), rows: await Promise.all(encoded) }
}

/** `golden:<name>`: the number of greedy answers that break a rule of their row; none may. */
export const goldenCheck = ({ name, rows }: Golden, text: TextService): Check => ({
  name: `golden:${name}`,
  async run({ model }) {
    const prompts = rows.map(({ promptTokens }) => promptTokens)
    const longest = Math.max(...rows.map(({ maxTokens }) => maxTokens))
    const answers = await model.answers('candidate', prompts, longest)
    const cut = answers.map((answer, i) => answer.slice(0, rows[i]?.maxTokens))
    const texts = await text.decode(cut, { skipSpecialTokens: true })
    const faults = rows.flatMap((row, i) => {
      const tokens = cut[i] as readonly number[]
      const ended = text.description.endIds.has(tokens.at(-1) as number)
      const broken = brokenRules({ text: texts[i] as string, tokens, ended }, row)
      return broken.length === 0 ? [] : [`${row.name ?? `line ${row.line}`}: ${broken.join(', ')}`]
    })
    const detail = faults.length === 0 ? `${rows.length} answers` : faults.slice(0, MAX_NAMED).join('; ')
    return finding({ outcome: faults.length === 0 ? 'passed' : 'refused', value: faults.length, bound: 0, detail })
  },
})

const MAX_NAMED = 10

export interface Answer {
  readonly text: string
  readonly tokens: readonly number[]
  /** It ended by itself, not at its longest. */
  readonly ended: boolean
}

/** The rules that an answer breaks, in words that quote nothing of it. */
export function brokenRules({ text, tokens, ended }: Answer, rules: GoldenRow): readonly string[] {
  const { length, repetition, script, ends } = rules
  const characters = [...text.trim()].length
  const broken: string[] = []
  if (characters < length[0]) broken.push(`${characters} characters, at least ${length[0]}`)
  if (characters > length[1]) broken.push(`${characters} characters, at most ${length[1]}`)
  const repeated = repetitionOf(tokens)
  if (repeated > repetition) broken.push(`repetition ${repeated.toFixed(2)}, at most ${repetition}`)
  const share = script === null ? 1 : scriptShare(text, script)
  if (share < MIN_SCRIPT_SHARE) broken.push(`${Math.round(100 * share)} % of its letters are ${script}`)
  if (ends && !ended) broken.push(`it did not end within ${rules.maxTokens} tokens`)
  return broken
}

/** Names and quotations may be in another script. */
const MIN_SCRIPT_SHARE = 0.9
const RUN = 4

/** Share of the runs of four tokens that stood in the answer before: 0 for plain text, near 1 for a loop. */
export function repetitionOf(tokens: readonly number[]): number {
  const runs = tokens.slice(RUN - 1).map((_, i) => tokens.slice(i, i + RUN).join())
  return runs.length === 0 ? 0 : 1 - new Set(runs).size / runs.length
}

/** Share of the letters that belong to a Unicode script; 1 if there is no letter. */
export function scriptShare(text: string, script: string): number {
  const letters = text.match(/\p{L}/gu) ?? []
  const own = new RegExp(`\\p{Script=${script}}`, 'u')
  return letters.length === 0 ? 1 : letters.filter((letter) => own.test(letter)).length / letters.length
}
