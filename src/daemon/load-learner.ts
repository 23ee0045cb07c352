import { referenceDirectory } from '../adapters/storage/held-versions.js'
import { openRegistryFiles } from '../adapters/storage/open-files.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { ConfigFor } from '../config/requirements.js'
import { givenFor } from '../gate/open-gate.js'
import { startNote } from '../learner/config.js'
import { RemoteLearner } from '../learner/remote-learner.js'
import { ModelNoted } from '../telemetry/events/daemon.js'
import { ClassifierReset, ProgramCompiled } from '../telemetry/events/training.js'
import type { DaemonLearner, DaemonOptions } from './options.js'

/**
 * Loads the model, with the executor, threads and TF32 that the lineage was begun with. `restoreLearner` follows.
 *
 * @throws what the model directory, the adapter or TensorFlow give as coded errors
 */
export async function loadLearner(options: DaemonOptions, snapshot: Snapshot | null): Promise<DaemonLearner> {
  const { config, telemetry, decoder = null, startLearner = RemoteLearner.start } = options
  const executor = (snapshot?.resolved.executor ?? null) as 'graph' | 'xla' | null
  const threads = Number(snapshot?.resolved.threads ?? config.model.threads)
  const tf32 = Boolean(snapshot?.resolved.tf32 ?? config.model.tf32)
  const setup = { config: await workerConfig(config, { threads, tf32 }), executor, decoder, given: givenFor(config) }
  const compiled = (program: string, ms: number) => telemetry.emit(new ProgramCompiled(program, ms))
  const learner = await startLearner(setup, { compiled })
  for (const note of [...learner.info.notes, startNote(config)]) if (note !== null) telemetry.emit(new ModelNoted(note))
  return learner
}

/** Restores the learning state of a checkpoint. @throws CHECKPOINT_DAMAGED */
export async function restoreLearner(
  learner: DaemonLearner,
  { adapter, trainerState }: Snapshot,
  { telemetry }: Pick<DaemonOptions, 'telemetry'>,
): Promise<void> {
  const { classifierKept } = await learner.call('restore', { adapter, state: trainerState })
  if (!classifierKept) telemetry.emit(new ClassifierReset())
}

/** The learner's part of the configuration, without anything secret. */
async function workerConfig(config: ConfigFor<'run'>, kept: { readonly threads: number; readonly tf32: boolean }) {
  const { model, lora, bco, ratio, optimizer, batch, limits, seed, adapters } = config
  const reference = await referenceDirectory(model.reference, openRegistryFiles(adapters))
  return { model: { ...model, reference, ...kept }, lora, bco, ratio, optimizer, batch, limits, seed }
}
