import { seededRandom } from '../../model/random.js'
import { feedbackLengths } from './lengths.js'

/** What the events of a measurement have in common. */
export interface Workload {
  /** Longest event, in tokens. */
  readonly maxLength: number
  /** `batch.tokens`, unless it is set. */
  readonly batchTokens: number
}

export const WORKLOADS = {
  /** Nothing. */
  plain: { maxLength: 256, batchTokens: 2048 },
  /** One system prompt of so many tokens before each event. */
  'system-256': { maxLength: 512, batchTokens: 2048 },
  'system-1024': { maxLength: 1280, batchTokens: 3072 },
  /** Votes on all turns of conversations of 3 to 8 turns, each of a real event's lengths. */
  conversation: { maxLength: 2048, batchTokens: 3072 },
  /** 2 to 4 answers to each prompt. */
  regenerate: { maxLength: 256, batchTokens: 2048 },
} as const satisfies Record<string, Workload>

export type WorkloadName = keyof typeof WORKLOADS

/** Token ids and label of one event. */
export interface BenchRow {
  readonly promptTokens: readonly number[]
  readonly completionTokens: readonly number[]
  readonly label: boolean
}

/** The last token of every completion, as an end token is of real ones. */
export const END_TOKEN = 2

/** So many events of real lengths, in the order of the list, over and over, with random tokens that are always the same. */
export function workloadRows(name: WorkloadName, count: number, vocabSize: number): readonly BenchRow[] {
  const random = seededRandom(0, 'bench tokens')
  const draw = (length: number) => Array.from({ length }, () => Math.floor(random() * vocabSize))
  const between = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const lengths = feedbackLengths()
  const rows: BenchRow[] = []
  let taken = 0
  const next = () => lengths[taken++ % lengths.length]!
  const answer = (length: number) => [...draw(length - 1), END_TOKEN]

  const system = name.startsWith('system-') ? draw(Number(name.slice('system-'.length))) : []
  while (rows.length < count) {
    const { prompt, completion, label } = next()
    const promptTokens = [...system, ...draw(prompt)]
    rows.push({ promptTokens, completionTokens: answer(completion), label })
    if (name === 'regenerate')
      for (let others = between(1, 3); others > 0; others--) {
        const other = next()
        // as long as an event may be
        const most = Math.min(other.completion, WORKLOADS.regenerate.maxLength - prompt)
        rows.push({ promptTokens, completionTokens: answer(most), label: other.label })
      }
    if (name === 'conversation')
      for (let turns = between(2, 7); turns > 0; turns--) {
        const turn = next()
        const { promptTokens: asked, completionTokens: said } = rows.at(-1) as BenchRow
        const before = [...asked, ...said, ...draw(turn.prompt)]
        rows.push({ promptTokens: before, completionTokens: answer(turn.completion), label: turn.label })
      }
  }
  return rows.slice(0, count)
}
