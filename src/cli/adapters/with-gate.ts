import type { GateVersion } from '../../gate/check.js'
import { givenFor, type OpenGate, openGate } from '../../gate/open-gate.js'
import { eventModel } from '../event-model.js'
import { type ConfigWithModel, learnerConfig } from '../learner-config.js'
import { openLearner } from '../open-learner.js'
import type { RegistryFlags } from './open-registry.js'

export type GateFlags = RegistryFlags & { readonly model?: string }

/** Opens a gate with a learner of its own, for versions of the shape of one of them, and closes both afterwards. */
export async function withGate<T>(
  flags: GateFlags,
  { adapter, answers = false }: Pick<GateVersion, 'adapter'> & { readonly answers?: boolean },
  use: (gate: OpenGate) => Promise<T>,
): Promise<T> {
  const { r, alpha, rslora, targets } = adapter
  const config = learnerConfig(flags, { lora: { r, alpha, rslora, targets } })
  const model = await eventModel(config)
  const learner = await openLearner(measuring(config), {
    training: false,
    given: givenFor(config, answers || undefined),
  })
  try {
    // loads TensorFlow, which has its settings now
    const { callsIn } = await import('../../gate/in-process.js')
    const gate = await openGate({
      ...{ config, text: model.text, checkpoints: config.checkpoint.dir, showErrors: true, answers },
      learner: { call: callsIn(learner), info: model },
    })
    return await use(gate)
  } finally {
    learner.dispose()
    model.text?.close()
  }
}

/** The gate measures from the base, whatever rewards are measured from. */
const measuring = (config: ConfigWithModel): ConfigWithModel => ({
  ...config,
  model: { ...config.model, reference: 'base' },
  lora: { ...config.lora, init: null },
})
