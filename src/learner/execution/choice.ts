import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { JsonValue } from '../../checkpoint/json.js'
import { cpuPlaces } from '../../config/devices.js'
import { type Architecture, readArchitecture } from '../../model/architecture.js'
import { type LearnerConfig, PROGRAMS } from '../config.js'
import { candidates, describeExecution, type Execution } from './candidates.js'
import { type ComparedTrial, compareTrials, fastest, LEAST_GAIN, type Trial } from './decision.js'
import { type KeptExecution, keptExecution } from './kept.js'
import { type Machine, thisMachine } from './machine.js'
import { keepMeasured, readMeasured, type TrialKey } from './measured.js'
import { layerWeights } from './trial-model.js'
import { runTrials } from './trials.js'

/** How the programs are to be run, and why. */
export interface ExecutionChoice {
  readonly source: 'rule' | 'measured' | 'lineage'
  readonly reason: string
  /** What replaces the settings of the same name: nothing where the rule decides. */
  readonly settings: Partial<KeptExecution>
  /** What was measured, that of the rule first. */
  readonly trials: readonly ComparedTrial[]
}

/** Below this many numbers in its layers, a step is over before another choice could gain anything worth other bits. */
const LEAST_WEIGHTS = 10e6

export interface ChoiceOptions {
  /** @default tries the candidates, if this was not done before */
  readonly run?: typeof runTrials
  readonly machine?: Machine
  readonly environment?: NodeJS.ProcessEnv
  /** Where measurements are kept. @default that of the set-up */
  readonly cache?: string
  readonly signal?: AbortSignal
  /** Told before something is measured: it takes some seconds. */
  readonly measuring?: (executions: readonly Execution[]) => void
}

/**
 * How the programs of a new lineage are to be run: by rule, unless a measurement on this machine shows something clearly
 * faster (`fastest`). What the configuration sets stays as it is. A measurement is kept, and not repeated.
 */
export async function chooseExecution(config: LearnerConfig, options: ChoiceOptions = {}): Promise<ExecutionChoice> {
  const planned = planTrials(config, options)
  if ('why' in planned) return byRule(planned.why)
  const { executions, key } = planned
  const { run = runTrials, cache, signal = new AbortController().signal, measuring } = options
  const known = readMeasured(key, cache)
  if (known !== null) return byTrials(known)
  measuring?.(executions)
  const trials = await run(config, executions, signal)
  if (trials === null) return byRule('there is a GPU')
  if (trials[0]?.rounds && !signal.aborted) keepMeasured(key, trials, cache)
  return byTrials(trials)
}

/** Why the programs run as they do, for people. @param rule  what `chooseExecutor` says */
export const reasonOf = ({ source, reason }: ExecutionChoice, rule: { readonly reason: string }): string =>
  source === 'rule' ? `${rule.reason}; ${reason}` : reason

/** How a lineage was begun. @param resolved  of a checkpoint */
export const asBegun = (resolved: JsonValue): ExecutionChoice => ({
  source: 'lineage',
  reason: 'as the lineage began',
  settings: keptExecution(resolved),
  trials: [],
})

/** The same as `chooseExecution` without a measurement; null if a start would begin with one. */
export function foreseeExecution(config: LearnerConfig, options: ChoiceOptions = {}): ExecutionChoice | null {
  const planned = planTrials(config, options)
  if ('why' in planned) return byRule(planned.why)
  const known = readMeasured(planned.key, options.cache)
  return known && byTrials(known)
}

/** What would be tried, and what the result depends on; or why nothing is tried. */
function planTrials(
  config: LearnerConfig,
  { machine = thisMachine(), environment = process.env }: ChoiceOptions,
): { readonly why: string } | { readonly executions: readonly Execution[]; readonly key: TrialKey } {
  const { model, devices } = config
  if (!model.measure) return { why: 'model.measure is off' }
  if (model.path === null) return { why: 'there is no model' }
  const architecture = readArchitecture(model.path)
  if (layerWeights(architecture) < LEAST_WEIGHTS) return { why: 'the model is small' }
  const executions = candidates({ ...model, places: cpuPlaces(devices) }, machine, environment)
  if (executions.length < 2) return { why: 'everything is set' }
  return { executions, key: keyOf(config, architecture, { machine, executions }) }
}

function keyOf(
  { batch, limits, lora, model }: LearnerConfig,
  architecture: Architecture,
  { machine, executions }: { readonly machine: Machine; readonly executions: readonly Execution[] },
): TrialKey {
  const { modelType, layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = architecture
  return JSON.parse(
    JSON.stringify({
      ...{ programs: PROGRAMS, tensorflow: tensorflowLibrary(), machine, executions },
      ...{ model: { modelType, layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } },
      ...{ dtype: model.dtype, gradientCheckpointing: model.gradientCheckpointing },
      ...{ lora: { r: lora.r, targets: lora.targets }, batch: { size: batch.size, tokens: batch.tokens } },
      maxLength: limits.maxLength,
    }),
  ) as TrialKey
}

/** The folder of the library that is loaded: its name says version and build. */
function tensorflowLibrary(): string {
  const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json')
  try {
    return realpathSync(join(dirname(entry), 'deps', 'lib'))
  } catch {
    return 'none'
  }
}

const byRule = (why: string): ExecutionChoice => ({
  source: 'rule',
  reason: `not measured: ${why}`,
  settings: {},
  trials: [],
})

function byTrials(trials: readonly Trial[]): ExecutionChoice {
  const chosen = fastest(trials)
  if (chosen === null) return byRule('what the rule gives could not be tried')
  const compared = compareTrials(trials)
  const { ratio } = compared.find(({ execution }) => execution === chosen)!
  const reason =
    chosen === trials[0]!.execution
      ? `measured: nothing takes ${percent(LEAST_GAIN)} less time`
      : `measured: ${percent(1 - ratio!)} less time than ${describeExecution(trials[0]!.execution)}`
  const { executor, kernels, threads, interOpThreads } = chosen
  return {
    source: 'measured',
    reason,
    settings: { executor, kernels, threads, interOpThreads, measure: false },
    trials: compared,
  }
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
