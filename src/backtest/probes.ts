import type { CheckResult } from '../adapters/versions/gate-report.js'
import type { Config } from '../config/config.js'
import type { GateModel } from '../gate/check.js'
import { runGate } from '../gate/gate.js'
import { callsIn } from '../gate/in-process.js'
import { meanInterval } from '../gate/interval.js'
import { LearnerModel } from '../gate/learner-model.js'
import { marginsOf, type Probe, probeCheck } from '../gate/probe.js'
import { type AskedProbe, type QuestionParts, readQuestions } from '../gate/questions.js'
import type { Learner } from '../learner/learner.js'

/** A probe of the gate under the base and under what was learnt: mean margins in nats per pair. */
export interface ProbeResult extends Pick<CheckResult, 'outcome' | 'value' | 'low' | 'high' | 'bound' | 'detail'> {
  readonly name: string
  readonly pairs: number
  /** Null if it was skipped, or could not be run. */
  readonly before: number | null
  /** Null too if what was learnt gives a pair no probability. */
  readonly after: number | null
}

/**
 * The probes of `gate.probes`. Read before the first step, so that a bad file costs no run.
 *
 * @throws what `readQuestions` throws
 */
export async function readProbes(parts: Omit<QuestionParts, 'config'> & { readonly config: Config }) {
  const { gate } = parts.config
  return (await readQuestions({ ...parts, config: { gate: { ...gate, golden: [] } } })).probes
}

/** Asks them as the gate does. One that cannot be run says why and spoils no report. */
export async function askProbes(
  learner: Learner,
  probes: readonly AskedProbe[],
  { gate, batch }: Config,
): Promise<readonly ProbeResult[]> {
  const candidate = { version: 'backtest', directory: '', adapter: learner.adapter(), delta: learner.delta }
  const { signal } = new AbortController()
  const options = { call: callsIn(learner), tokens: batch.tokens, rows: 1, endIds: new Set<number>() }
  const model = new LearnerModel(options).of(candidate, null, signal)
  const checks = probes.map(({ probe, onlyIfSpoken }) =>
    probeCheck(probe, { tolerance: gate.probeTolerance, onlyIfSpoken }),
  )
  const report = await runGate(checks, { candidate, live: null, model, signal })
  return Promise.all(
    report.checks.map(async ({ outcome, value, low, high, bound, detail }, i) => {
      const { probe } = probes[i] as AskedProbe
      const wasAsked = outcome === 'passed' || outcome === 'refused'
      const before = wasAsked ? await baseMargin(probe, model) : null
      const after = before === null || value === null ? null : before + value
      return { name: probe.name, pairs: probe.rows.length, before, after, outcome, value, low, high, bound, detail }
    }),
  )
}

/** The mean margin under the base, weighed as the check weighs it; the model has it from there. */
async function baseMargin(probe: Probe, model: GateModel): Promise<number> {
  const margins = await marginsOf(probe).margins(model, 'base')
  const weights = probe.rows.map(({ weight }) => weight)
  return meanInterval(margins, weights).value
}
