import { basename, extname } from 'node:path'
import { BcodError } from '../errors.js'
import { type InvalidRow, InvalidRows } from '../events/invalid-rows.js'
import type { OnInvalid } from '../events/jsonl.js'
import { readPairs } from '../events/pairs.js'
import { allScored } from '../learner/all-scored.js'
import { type PairOptions, type TokenisedPair, type TokenPair, tokenisePair } from '../text/tokenise-pairs.js'
import { type Check, finding, type GateModel, type Side } from './check.js'
import { meanInterval } from './interval.js'

/** A row of a probe file, tokenised. */
interface ProbeRow extends TokenisedPair {
  readonly name: string | null
  readonly weight: number
}

/** A file of pairs: for each prompt an answer that is to stay likelier than another. */
export interface Probe {
  /** The file's name without its ending. */
  readonly name: string
  readonly rows: readonly ProbeRow[]
  /** Rows that are left out because the model does not take their length. */
  readonly tooLong: number
}

/**
 * Reads a probe file: rows `{prompt, chosen, rejected, name?, weight?}` as of `bcod eval`.
 *
 * @throws InvalidRows with every bad row (PAIRS_INVALID, TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING),
 *   FILE_UNREADABLE
 */
export async function readProbe(path: string, options: Omit<PairOptions, 'path'>): Promise<Probe> {
  const rows: ProbeRow[] = []
  const invalid: InvalidRow[] = []
  const onInvalid: OnInvalid = (line, error) => void invalid.push({ line, error })
  let tooLong = 0
  for await (const pair of readPairs(path, { vocabSize: options.vocabSize, named: true, onInvalid })) {
    const row = await tokenisePair(pair, { ...options, path, whole: true, onInvalid })
    if (row === undefined) continue
    if (row === null) tooLong += 1
    else rows.push({ ...row, name: pair.name, weight: pair.weight })
  }
  if (invalid.length > 0) throw new InvalidRows(path, invalid)
  return { name: basename(path, extname(path)), rows, tooLong }
}

/** @throws GATE_PROBE_SHORT if the interval of its mean cannot be known */
export function requireRows(probe: Probe, path: string): Probe {
  if (probe.rows.length >= 2) return probe
  const left = probe.tooLong === 0 ? '' : `; ${probe.tooLong} are longer than the model takes`
  throw new BcodError('GATE_PROBE_SHORT', `it has ${probe.rows.length} pairs${left}`, { place: path })
}

export interface ProbeOptions {
  /** `gate.probeTolerance`: the lower end of the 95 % interval must be above its negative. */
  readonly tolerance: number
  /**
   * Skip the probe if the base could not have written the chosen answers: their margins would be noise then.
   * @default false
   */
  readonly onlyIfSpoken?: boolean
}

/**
 * Nats per token. Models give plain sentences about −3; one of a thousand tokens that draws them at random, −7.
 */
export const SPOKEN = -5

export const unspoken = (nats: number): string =>
  `the base does not write like this: ${nats.toFixed(1)} nats per token of the chosen answers`

/** Scores the rows of a probe. The margin of a row is log π(chosen) − log π(rejected), in nats. */
export function marginsOf({ rows }: Pick<Probe, 'rows'>) {
  const pairs: readonly TokenPair[] = rows.flatMap(({ chosen, rejected }) => [chosen, rejected])
  const scores = async (model: GateModel, side: Side) => allScored(await model.logps(side, pairs))
  return {
    /** One for each row. @throws DEVICE_OUT_OF_MEMORY */
    async margins(model: GateModel, side: Side): Promise<readonly number[]> {
      const logps = await scores(model, side)
      return rows.map((_, i) => (logps[2 * i] as number) - (logps[2 * i + 1] as number))
    },
    /** Mean log-probability of a token of the chosen answers under the base. @throws DEVICE_OUT_OF_MEMORY */
    async fluency(model: GateModel): Promise<number> {
      const logps = await scores(model, 'base')
      const tokens = rows.reduce((sum, { chosen }) => sum + chosen.completionTokens.length, 0)
      return rows.reduce((sum, _, i) => sum + (logps[2 * i] as number), 0) / tokens
    },
  }
}

/**
 * `probe:<name>`: the mean over rows of the candidate's margin less the base's, in nats per pair. Nothing is sampled, so the value depends on the adapters and the file alone.
 */
export function probeCheck({ name, rows, tooLong }: Probe, { tolerance, onlyIfSpoken = false }: ProbeOptions): Check {
  const of = marginsOf({ rows })
  const left = tooLong === 0 ? '' : `, ${tooLong} left out for their length`
  const about = { bound: -tolerance, reference: 'base' }
  return {
    name: `probe:${name}`,
    async run(subject) {
      const { model } = subject
      const base = await of.margins(model, 'base')
      if (!base.every(Number.isFinite)) throw new BcodError('MODEL_NONFINITE', 'the base gives a pair no probability')
      const spoken = onlyIfSpoken ? await of.fluency(model) : 0
      if (spoken < SPOKEN) return finding({ ...about, outcome: 'skipped', detail: unspoken(spoken) })
      const candidate = await of.margins(model, 'candidate')
      const spoilt = candidate.findIndex((margin) => !Number.isFinite(margin))
      if (spoilt >= 0)
        return finding({ ...about, outcome: 'refused', detail: `${called(rows[spoilt])} has no probability` })
      const gains = candidate.map((margin, i) => margin - (base[i] as number))
      const weights = rows.map(({ weight }) => weight)
      const { value, low, high } = meanInterval(gains, weights)
      const mean = (values: readonly number[]) => meanInterval(values, weights).value.toFixed(2)
      const live = subject.live === null ? '' : `, live ${mean(await of.margins(model, 'live'))}`
      const worst = gains.indexOf(Math.min(...gains))
      const detail =
        `${rows.length} pairs${left}; mean margin: candidate ${mean(candidate)}${live}, base ${mean(base)}; ` +
        `lowest: ${called(rows[worst])} (${(gains[worst] as number).toFixed(2)})`
      return finding({ ...about, outcome: low > -tolerance ? 'passed' : 'refused', value, low, high, detail })
    },
  }
}

const called = (row: ProbeRow | undefined): string => row?.name ?? `line ${row?.line}`
