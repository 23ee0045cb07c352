import type { CheckResult } from '../adapters/versions/gate-report.js'
import type { Config } from '../config/config.js'
import type { GateModel, GateVersion } from '../gate/check.js'
import { type LearnerCall, LearnerModel } from '../gate/learner-model.js'
import { marginsOf, type Probe, probeCheck } from '../gate/probe.js'
import { readQuestions } from '../gate/questions.js'
import type { Learner } from '../learner/learner.js'
import type { TextService } from '../text/text-process.js'

/** A probe of the gate under the base and under what was learnt: mean margins in nats per pair. */
export interface ProbeResult extends Pick<CheckResult, 'outcome' | 'value' | 'low' | 'high' | 'bound'> {
  readonly name: string
  readonly before: number
  readonly after: number
}

export interface ProbeParts {
  readonly config: Config
  readonly text: TextService | null
  readonly vocabSize: number
  readonly maxLength: number
}

/**
 * Asks the probes of `gate.probes` as the gate does; those that it skips are left out.
 *
 * @throws what `readQuestions` throws; DEVICE_OUT_OF_MEMORY
 */
export async function askProbes(learner: Learner, parts: ProbeParts): Promise<readonly ProbeResult[]> {
  const { config } = parts
  const { probes } = await readQuestions({ ...parts, config: { ...config, gate: { ...config.gate, golden: [] } } })
  const candidate = { version: 'backtest', directory: '', adapter: learner.adapter(), delta: learner.delta }
  const model = modelOf(learner, candidate, config.batch.tokens)
  const results: ProbeResult[] = []
  for (const { probe, onlyIfSpoken } of probes) {
    const check = probeCheck(probe, { tolerance: config.gate.probeTolerance, onlyIfSpoken })
    const subject = { candidate, live: null, model, signal: new AbortController().signal }
    const { outcome, value, low, high, bound } = await check.run(subject)
    if (value === null) continue
    const before = await meanMargin(probe, model)
    results.push({ name: probe.name, before, after: before + value, outcome, value, low, high, bound })
  }
  return results
}

function modelOf(learner: Learner, candidate: GateVersion, tokens: number): GateModel {
  const call: LearnerCall = (name, ...args) => {
    const method = learner[name] as (...given: typeof args) => ReturnType<(typeof learner)[typeof name]>
    return method.apply(learner, args)
  }
  const model = new LearnerModel({ call, tokens, rows: 1, endIds: new Set() })
  return model.of(candidate, null, new AbortController().signal)
}

/** Under the base, weighed as the check weighs it. */
async function meanMargin(probe: Probe, model: GateModel): Promise<number> {
  const margins = await marginsOf(probe).margins(model, 'base')
  const total = probe.rows.reduce((sum, { weight }) => sum + weight, 0)
  return probe.rows.reduce((sum, { weight }, i) => sum + weight * (margins[i] as number), 0) / total
}
