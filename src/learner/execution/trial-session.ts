import { usesGpu } from '../../engine/index.js'
import { readArchitecture } from '../../model/architecture.js'
import { initialLora, loraParameters } from '../../model/lora.js'
import { seededRandom } from '../../model/random.js'
import type { LearnerConfig } from '../config.js'
import { ModelSession } from '../model-session.js'
import { packedShapes, planMicroBatches } from '../packed-shapes.js'
import type { TokenPair } from '../token-trees.js'
import type { Execution } from './candidates.js'

/** Mean lengths of real feedback (docs/performance.md). */
const [PROMPT, COMPLETION] = [105, 39]
/** What a planner weighs by changes nothing of what is compared. */
const COSTS = { pairCost: 0, batchCost: 32, inBlocks: true }

/** What a trial needs of the configuration. */
export type TrialConfig = Pick<LearnerConfig, 'model' | 'lora' | 'bco' | 'optimizer' | 'batch' | 'limits' | 'seed'>

export interface TrialSetup {
  /** With the model for trials as `model.path`. */
  readonly config: TrialConfig
  readonly execution: Execution
}

/**
 * The pass that a step spends most time in, forward and backward of the policy over a typical packed batch.
 *
 * @returns what runs it once, in milliseconds; null on a GPU, where nothing is tried
 */
export function openTrial({ config, execution: { executor } }: TrialSetup): (() => number) | null {
  if (usesGpu()) return null
  const { batch, lora, model } = config
  const modelPath = model.path as string
  const architecture = readArchitecture(modelPath)
  const maxLength = Math.min(config.limits.maxLength, architecture.maxPositions)
  const events = typicalEvents(batch.size, maxLength, architecture.vocabSize)
  const [layout] = planMicroBatches(events, packedShapes(maxLength, batch.tokens, batch.size), COSTS)
  const { shape, trees, events: packed } = layout!
  const session = new ModelSession({
    ...{ modelPath, dtype: model.dtype, executor, lora, shapes: [shape], optimizer: config.optimizer },
    ...{ beta: config.bco.beta, gradientCheckpointing: model.gradientCheckpointing, purposes: ['train'] },
    ...{ decoder: null, givenDecoder: null, referenceLora: null },
  })
  session.adapterValues = initialLora(loraParameters(architecture, lora), config.seed)
  const own = packed.map((index) => events[index] as TokenPair)
  const zeros = own.map(() => 0)
  const terms = { referenceLogps: zeros, labels: own.map((_, i) => i % 2 === 0), coefficients: zeros.map(() => 1) }
  return () => {
    const started = performance.now()
    session.accumulate(own, { shape, trees }, { ...terms, delta: 0, first: true })()
    return performance.now() - started
  }
}

function typicalEvents(count: number, maxLength: number, vocabSize: number): readonly TokenPair[] {
  const random = seededRandom(0, 'trial')
  const draw = (length: number) => Array.from({ length }, () => Math.floor(random() * vocabSize))
  const share = Math.min(1, maxLength / (PROMPT + COMPLETION))
  const lengthOf = (mean: number) => Math.max(1, Math.floor(mean * share))
  return Array.from({ length: count }, () => ({
    promptTokens: draw(lengthOf(PROMPT)),
    completionTokens: draw(lengthOf(COMPLETION)),
  }))
}
