import { asyncScheduler, BehaviorSubject, type SchedulerLike, Subject } from 'rxjs'
import { Registry } from '../adapters/registry/registry.js'
import { DEFAULT_NAME } from '../adapters/registry/routing.js'
import { publishedSteps } from '../adapters/storage/held-versions.js'
import { openRegistryFiles } from '../adapters/storage/open-files.js'
import type { RegistryFiles } from '../adapters/storage/registry-files.js'
import { journalPath } from '../checkpoint/journal.js'
import { eventsLearnt } from '../checkpoint/journal-resumptions.js'
import { CheckpointStore } from '../checkpoint/store.js'
import type { ConfigFor } from '../config/requirements.js'
import { eventEmbedding } from '../embeddings/event-embedding.js'
import { BcodError } from '../errors.js'
import type { OpenGate } from '../gate/open-gate.js'
import type { AppliedStep } from '../learner/step.js'
import { SteadyClock } from '../streams/collections/steady-clock.js'
import { rejectOwn, Shard } from '../streams/shard.js'
import type { FeedbackLog } from '../streams/source.js'
import { Failed } from '../telemetry/events/daemon.js'
import { PromptsEmbedded, TrainingPaused } from '../telemetry/events/training.js'
import type { LifecycleState } from '../telemetry/lifecycle.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { TextService } from '../text/text-process.js'
import type { Recovered } from '../training/recovery.js'
import { StepRecorder } from '../training/step-recorder.js'
import { AdapterPublisher } from './adapters/adapter-publisher.js'
import { CanaryTest } from './adapters/canary-test.js'
import { ControlArm } from './adapters/control-arm.js'
import { GateOnDemand } from './adapters/gate-on-demand.js'
import { Gatekeeper } from './adapters/gatekeeper.js'
import { RegistryWatch } from './adapters/registry-watch.js'
import { ServingWatch } from './adapters/serving-watch.js'
import { VoteTally } from './adapters/vote-tally.js'
import { hasServers } from './adapters/wanted-versions.js'
import { Checkpointer } from './checkpointer.js'
import { Comeback } from './comeback.js'
import { guardMeasures } from './guards/guard-measures.js'
import { Guards } from './guards/guards.js'
import { LostWorkers } from './lost-workers.js'
import { type DaemonIntervals, type DaemonLearner, type DaemonOptions, DEFAULT_INTERVALS } from './options.js'
import { SerialQueue } from './serial-queue.js'
import { OffsetCommitter } from './stream/offset-committer.js'
import { Outcomes } from './stream/outcomes.js'
import { PartitionReader } from './stream/partition-reader.js'
import { StreamState } from './stream/stream-state.js'
import { Trainer } from './trainer.js'
import { TrainingPause } from './training-pause.js'

/** What a daemon consists of before its model is loaded. */
export interface DaemonParts {
  readonly options: DaemonOptions
  readonly config: ConfigFor<'run'>
  readonly log: FeedbackLog
  readonly telemetry: Telemetry
  readonly intervals: DaemonIntervals
  readonly scheduler: SchedulerLike
  /** What time it is for held votes. */
  readonly clock: { now(): number }
  readonly stage: (stage: string) => void
  readonly lifecycle$: BehaviorSubject<LifecycleState>
  /** Each step, once it is applied. */
  readonly step$: Subject<AppliedStep>
  /** Keeps steps from beginning. */
  readonly pause: TrainingPause
  /** Trains what waits without waiting for a full batch. */
  readonly flush$: Subject<void>
  /** Aborted when the daemon is to stop. */
  readonly stop: AbortController
  /** Steps and checkpoints, one at a time. */
  readonly queue: SerialQueue
  readonly state: StreamState
  readonly outcomes: Outcomes
  readonly reader: PartitionReader
  readonly store: CheckpointStore
  /** Where the registry is. */
  readonly files: RegistryFiles
  /** Workers of `devices` that are out. */
  readonly lostWorkers: LostWorkers
  /** Checkpoints fail: nothing more is read until one succeeds. */
  readonly checkpointsFail$: BehaviorSubject<boolean>
}

/** What trains, once the model is loaded. */
export interface Training {
  readonly trainer: Trainer
  readonly checkpointer: Checkpointer
  readonly committer: OffsetCommitter
  readonly publisher: AdapterPublisher
  readonly watch: RegistryWatch
  readonly gateOnDemand: GateOnDemand
  readonly compare: OpenGate['compare']
  /** The servers that load versions; null if the configuration has none. */
  readonly servers: ServingWatch | null
  readonly canary: CanaryTest
  readonly control: ControlArm
  /** Goes on from an older version when somebody asks for it. */
  readonly comeback: Comeback
  readonly guards: Guards
}

/** Puts a daemon together, up to what needs its model. Nothing is read or written. */
export function compose(options: DaemonOptions): DaemonParts {
  const { config, log, telemetry, scheduler = asyncScheduler } = options
  const failed = (error: unknown) => telemetry.emit(new Failed(error, false))
  const stage = (name: string) => options.onStage?.(name)
  const clock = options.scheduler ?? new SteadyClock()
  const lifecycle$ = new BehaviorSubject<LifecycleState>('starting')
  const checkpointsFail$ = new BehaviorSubject(false)
  const queue = new SerialQueue(() => new BcodError('NOT_RUNNING', `the daemon is ${lifecycle$.value}`))
  const outcomes = new Outcomes(() => state, telemetry)
  const state = new StreamState(config, (event, reason) => outcomes.drop(event.position, reason), {
    write: (letters) => log.writeDeadLetters(letters),
    acknowledged: ({ record }) => {
      state.positions.ack(record)
      reader.updateBackpressure()
    },
    failed,
  })
  const rejectUndecoded = rejectOwn(
    new Shard(config.stream),
    (...rejected: Parameters<Outcomes['reject']>) => outcomes.reject(...rejected),
    (record, reason) => outcomes.drop(record, reason),
  )
  const reader: PartitionReader = new PartitionReader({
    ...{ config, log, telemetry, state, lifecycle$ },
    pipelineFailed: () => queue.isFailed,
    checkpointsFail: () => checkpointsFail$.value,
    unreadable: ({ record, range, error }) => rejectUndecoded(record, error, 'unpack', range),
    decoded: () => stage('decoded'),
    now: () => clock.now(),
  })
  const files = openRegistryFiles(config.adapters, stage)
  const store = new CheckpointStore(config.checkpoint.dir, {
    keep: config.checkpoint.keep,
    publishedSteps: () => publishedSteps(files),
    onDamaged: (_, error) => failed(error),
    onCleanupFailed: failed,
    onStage: (name) => stage(`checkpoint ${name}`),
  })
  return {
    ...{
      options,
      config,
      log,
      telemetry,
      scheduler,
      clock,
      stage,
      lifecycle$,
      queue,
      state,
      outcomes,
      reader,
      store,
      files,
    },
    intervals: { ...DEFAULT_INTERVALS, ...options.intervals },
    step$: new Subject(),
    pause: new TrainingPause((paused, reason) => telemetry.emit(new TrainingPaused(paused, reason))),
    flush$: new Subject(),
    stop: new AbortController(),
    lostWorkers: new LostWorkers({ config, telemetry }),
    checkpointsFail$,
  }
}

/** Puts together what trains. The stream's state is restored by now. */
export function composeTraining(
  parts: DaemonParts,
  { checkpoint, fence, identities, journal }: Recovered,
  learner: DaemonLearner,
  text: TextService | null,
  { checks, model, recent, compare }: OpenGate,
): Training {
  const { config, log, telemetry, scheduler, stage, state, store, files, queue, step$, intervals } = parts
  const now = () => scheduler.now()
  const registry = new Registry(files, {
    ...{ by: 'daemon', reference: config.model.reference, onStage: stage, now: () => new Date(now()) },
    ...servedAs(config),
  })
  const watch = new RegistryWatch({
    ...{
      registry,
      telemetry,
      checkpoints: store.directory,
      frozen: (isFrozen) => parts.pause.set('registry', isFrozen),
    },
    followed: (move, routing) => state.arms.follow(move, routing?.name ?? DEFAULT_NAME),
  })
  const start = checkpoint?.snapshot.step ?? 0
  const { mode } = config.publish
  const servers = hasServers(config.publish)
    ? new ServingWatch({ config, files, learner, watch, telemetry, stage, now })
    : null
  const gate = new Gatekeeper({ registry, checks, model, telemetry })
  const gateOnDemand = new GateOnDemand({
    ...{ gate, signal: parts.stop.signal, wait: intervals.gateAnswer },
    failed: (error) => telemetry.emit(new Failed(error, false)),
  })
  const guards = new Guards({ config: config.guard, directory: store.directory, pause: parts.pause, telemetry })
  const publisher = new AdapterPublisher({
    ...{
      registry,
      watch,
      servers,
      mode,
      guarded: () => guards.tripped !== null,
      canaryShare: config.canary.share,
      keep: config.adapters.keep,
      telemetry,
      stage,
      now,
      configSha256: identities.config,
    },
    gate,
    tally: new VoteTally(start, (after, upTo) => eventsLearnt(journalPath(store.directory), after, upTo)),
  })
  const committer = new OffsetCommitter({ log, telemetry, stage, limitMs: intervals.commit, scheduler })
  const trainer = new Trainer({
    ...{ learner, state, telemetry, stage, now, step: start },
    recorder: new StepRecorder({ journal, config, resolved: learner.info.resolved }),
    embed: eventEmbedding(config, text, {
      counted: (outcome, prompts) => telemetry.emit(new PromptsEmbedded(outcome, prompts)),
      failed: (error) => telemetry.emit(new Failed(error, false)),
    }),
    applied: (step, trained) => {
      guards.applied(guardMeasures(step, trained))
      publisher.trained(trained)
      recent.trained(trained)
      step$.next(step)
    },
  })
  const checkpointer = new Checkpointer({
    ...{ config, store, journal, log, learner, state, committer, publisher, telemetry, fence, identities },
    ...{ start: checkpoint, step: () => trainer.step, throwIfFailed: () => queue.throwIfFailed() },
    failing: (isFailing) => parts.checkpointsFail$.next(isFailing),
  })
  const canary = new CanaryTest({
    ...{ config: config.canary, arms: state.arms, registry, watch, publisher, mode, telemetry, now },
  })
  const control = new ControlArm({ config, registry, watch, servers, telemetry })
  const comeback = new Comeback({
    ...{ registry, watch, store, identities, learner, trainer, checkpointer, publisher, telemetry },
    // what tripped a guard is abandoned
    resumed: () => guards.resume(),
  })
  return {
    trainer,
    checkpointer,
    committer,
    publisher,
    watch,
    gateOnDemand,
    compare,
    servers,
    canary,
    control,
    comeback,
    guards,
  }
}

/** The name that all servers know versions by. */
export function servedAs({ publish }: Pick<DaemonParts['config'], 'publish'>): { readonly name?: string } {
  const target = publish.targets.find(({ kind }) => kind !== 'directory')
  return target === undefined ? {} : { name: target.name }
}
