import { join } from 'node:path'
import { referenceDirectory } from '../adapters/storage/held-versions.js'
import { openRegistryFiles } from '../adapters/storage/open-files.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { ConfigFor } from '../config/requirements.js'
import type { BcodError } from '../errors.js'
import { givenFor } from '../gate/open-gate.js'
import { startNote } from '../learner/config.js'
import type { Execution } from '../learner/execution/candidates.js'
import { asBegun, chooseExecution } from '../learner/execution/choice.js'
import type { KeptExecution } from '../learner/execution/kept.js'
import { RemoteLearner } from '../learner/remote-learner.js'
import { ExecutionChosen, ModelNoted, TrialsStarted } from '../telemetry/events/daemon.js'
import { ClassifierReset, PlacesChosen, ProgramCompiled } from '../telemetry/events/training.js'
import type { LostWorkers } from './lost-workers.js'
import type { DaemonLearner, DaemonOptions } from './options.js'

/**
 * Loads the model. Its programs are run as the lineage began; for a new one, that is chosen now. `restoreLearner` follows.
 *
 * @param lostWorkers  told of each place that is left out
 * @param signal       ends a measurement
 * @throws what the model directory, the adapter or TensorFlow give as coded errors
 */
export async function loadLearner(
  options: DaemonOptions,
  snapshot: Snapshot | null,
  lostWorkers: LostWorkers,
  signal: AbortSignal,
): Promise<DaemonLearner> {
  const { config, telemetry, decoder = null, startLearner = RemoteLearner.start } = options
  const measuring = (executions: readonly Execution[]) => telemetry.emit(new TrialsStarted(executions.length))
  const choice = snapshot === null ? await chooseExecution(config, { signal, measuring }) : asBegun(snapshot.resolved)
  const workers = await lostWorkers.answering()
  const setup = { config: await workerConfig(config, choice.settings), decoder, given: givenFor(config), workers }
  const compiled = (program: string, ms: number) => telemetry.emit(new ProgramCompiled(program, ms))
  const dropped = (place: number, reason: BcodError) => lostWorkers.dropped(place, reason)
  const learner = await startLearner(setup, { compiled, dropped })
  telemetry.emit(new ExecutionChosen(learner.info.resolved, choice))
  telemetry.emit(new PlacesChosen(learner.info.places))
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
async function workerConfig(config: ConfigFor<'run'>, execution: Partial<KeptExecution>) {
  const { model, devices, leader, lora, bco, ratio, optimizer, batch, limits, seed, adapters, checkpoint } = config
  const reference = await referenceDirectory(model.reference, openRegistryFiles(adapters))
  const compilationCache = model.compilationCache ?? join(checkpoint.dir, 'compiled')
  const own = { ...model, reference, compilationCache, ...execution }
  return { model: own, devices, leader, lora, bco, ratio, optimizer, batch, limits, seed }
}
