import type { TextService } from '../text/text-process.js'
import type { GateModel } from './check.js'
import { meanInterval } from './interval.js'
import { marginsOf, SPOKEN, unspoken } from './probe.js'
import type { AskedPrompts } from './probe-prompts.js'
import type { Questions } from './questions.js'

/** What two versions say to the gate's questions. */
export interface Comparison {
  readonly margins: readonly ComparedMargins[]
  /** Of the first golden prompts, or else of the first prompt of each probe; null if neither is asked. */
  readonly answers: readonly ComparedAnswer[] | null
  /** Probes, and `golden`, for which there was no time. */
  readonly left_out: readonly string[]
}

/** A probe file: mean margins in nats per pair; `difference` is of B less A, with its 95 % interval. null: skipped. */
export interface ComparedMargins {
  readonly probe: string
  readonly pairs: number
  readonly a: number | null
  readonly b: number | null
  readonly difference: number | null
  readonly low: number | null
  readonly high: number | null
  /** Why it was skipped. */
  readonly detail: string | null
}

/** The likeliest answers to one prompt. */
export interface ComparedAnswer {
  /** The row's name, or its file and line. */
  readonly prompt: string
  readonly a: string
  readonly b: string
}

const MOST_ANSWERS = 8

/**
 * Asks A (`live` of the model) and B (`candidate`). Nothing is sampled: the same versions and files give the same figures.
 *
 * @param signal  aborted when the time is over: what is not known by then is left out
 * @throws ADAPTER_MISMATCH, DEVICE_OUT_OF_MEMORY, MODEL_NONFINITE
 */
export async function compareVersions(
  { probes, golden }: Pick<Questions, 'probes'> & { readonly golden: readonly AskedPrompts[] },
  model: GateModel,
  text: TextService | null,
  signal: AbortSignal,
): Promise<Comparison> {
  const leftOut: string[] = []
  const inTime = async <T>(name: string, ask: () => Promise<T>): Promise<T | null> => {
    try {
      signal.throwIfAborted()
      return await ask()
    } catch (error) {
      if (!signal.aborted) throw error
      leftOut.push(name)
      return null
    }
  }
  const margins: (ComparedMargins | null)[] = []
  for (const asked of probes) margins.push(await inTime(asked.probe.name, () => marginsUnder(asked, model)))
  const answers =
    text === null || golden.length === 0 ? null : await inTime('golden', () => answersUnder(golden, model, text))
  return { margins: margins.filter((each) => each !== null), answers, left_out: leftOut }
}

async function marginsUnder(
  { probe, onlyIfSpoken }: Questions['probes'][number],
  model: GateModel,
): Promise<ComparedMargins> {
  const of = marginsOf(probe)
  const about = { probe: probe.name, pairs: probe.rows.length }
  const spoken = onlyIfSpoken ? await of.fluency(model) : 0
  if (spoken < SPOKEN)
    return { ...about, a: null, b: null, difference: null, low: null, high: null, detail: unspoken(spoken) }
  const [a, b] = [await of.margins(model, 'live'), await of.margins(model, 'candidate')]
  const weights = probe.rows.map(({ weight }) => weight)
  const { value, low, high } = meanInterval(
    b.map((margin, i) => margin - (a[i] as number)),
    weights,
  )
  const mean = (values: readonly number[]) => meanInterval(values, weights).value
  return { ...about, a: mean(a), b: mean(b), difference: value, low, high, detail: null }
}

async function answersUnder(
  golden: readonly AskedPrompts[],
  model: GateModel,
  text: TextService,
): Promise<readonly ComparedAnswer[]> {
  const rows = golden.flatMap(({ name, rows }) => rows.map((row) => ({ ...row, file: name }))).slice(0, MOST_ANSWERS)
  const prompts = rows.map(({ promptTokens }) => promptTokens)
  const longest = Math.max(...rows.map(({ maxTokens }) => maxTokens))
  const under = async (side: 'live' | 'candidate') => {
    const answers = await model.answers(side, prompts, longest)
    const cut = answers.map((answer, i) => answer.slice(0, rows[i]?.maxTokens))
    return text.decode(cut, { skipSpecialTokens: true })
  }
  const [a, b] = [await under('live'), await under('candidate')]
  return rows.map(({ name, file, line }, i) => ({
    ...{ prompt: name ?? `${file}:${line}`, a: a[i] as string, b: b[i] as string },
  }))
}
