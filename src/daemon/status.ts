import { type MoveSummary, summaryOf } from '../adapters/moves/move.js'
import type { ArmName } from '../adapters/registry/routing.js'
import type { ArmReport, CanaryReport } from '../adapters/versions/canary-report.js'
import type { LearnerInfo } from '../learner/protocol.js'
import { type Check, verdict } from '../server/health.js'
import type { ArmTally } from '../streams/arm-tally.js'
import type { GuardName } from '../telemetry/events/guards.js'
import type { History } from '../telemetry/history.js'
import type { LifecycleState } from '../telemetry/lifecycle.js'
import type { AdapterPublisher } from './adapters/adapter-publisher.js'
import { armReport, type CanaryTest } from './adapters/canary-test.js'
import type { RegistryWatch } from './adapters/registry-watch.js'
import type { ServerStatus, ServingWatch } from './adapters/serving-watch.js'
import type { Guards } from './guards/guards.js'
import type { PartitionReader } from './stream/partition-reader.js'
import type { StreamState } from './stream/stream-state.js'
import type { UncommittedPart } from './stream/uncommitted.js'
import type { Trainer } from './trainer.js'

/** What `/status` answers. Figures of the last step are null before the first one of this process. */
export interface DaemonStatus {
  readonly state: LifecycleState
  readonly ready: boolean
  readonly not_ready: readonly { readonly name: string; readonly detail: string | null }[]
  /** The last applied step of the lineage. */
  readonly step: number
  /** When this process applied it, in seconds since 1970. */
  readonly last_step_time: number | null
  readonly delta: number | null
  readonly loss: number | null
  readonly reward_up_mean: number | null
  readonly reward_down_mean: number | null
  readonly weight_mean: number | null
  readonly classifier_ready: boolean | null
  readonly classifier_trust: number | null
  /** The version that this process published last. */
  readonly adapter: string | null
  /** What the registry of adapters holds; null until it was looked at. */
  readonly adapters: RegistryStatus | null
  /** Votes by arm; null if no user is to get anything but the live version. */
  readonly arms: Readonly<Record<ArmName, ArmReport | null>> | null
  /** Thumbs-up rate of live less that of control; null while it is not known. */
  readonly uplift: {
    readonly value: number
    readonly low: number
    readonly high: number
    readonly since: number
  } | null
  /** What the votes show of the canary under test. */
  readonly canary: CanaryReport | null
  /** The servers of `publish.targets`, by host and port, as they were last looked at. */
  readonly servers: Readonly<Record<string, ServerStatus>>
  /** Of each partition: records that are not acknowledged, read or not. */
  readonly lag: Readonly<Record<number, number>>
  /** Of each partition with an open transaction: what nobody can read yet. */
  readonly uncommitted: Readonly<Record<number, UncommittedPart>>
  readonly held_back: number
  /** Events that wait for their step. */
  readonly waiting: number
  /** Since the start of this process, by code. */
  readonly dead_letters: Readonly<Record<string, number>>
  readonly dead_letters_waiting: number
  /** Reading is paused, because too much waits. */
  readonly paused: boolean
  /** Training is paused, by a person, a guard or a rollback. */
  readonly training_paused: boolean
  /** The guard that has paused it: kl, margin, delta or up_rate. */
  readonly guard: GuardName | null
  readonly partitions: readonly number[]
}

export interface RegistryStatus extends MoveSummary {
  /** Which of `live` and `previous` learning could go on from; null if nobody knows. */
  readonly resumable: readonly string[] | null
}

/** What a status is made of. */
export interface StatusParts {
  readonly lifecycle: LifecycleState
  readonly reader: PartitionReader
  readonly state: StreamState
  readonly history: History
  readonly isTrainingPaused: boolean
  /** Null until the model is loaded. */
  readonly learner: { readonly info: LearnerInfo; readonly busyMs: number } | null
  readonly trainer: Trainer | null
  readonly publisher: AdapterPublisher | null
  readonly watch: RegistryWatch | null
  readonly servers: ServingWatch | null
  readonly canary: CanaryTest | null
  readonly guards: Pick<Guards, 'tripped'> | null
}

export function statusOf(parts: StatusParts): DaemonStatus {
  const { lifecycle, reader, state, history, isTrainingPaused, trainer, publisher, watch, servers, canary } = parts
  const { ok, failing } = verdict(readyChecks(parts))
  const { lastStep = null, lastStepTime = null, step = 0 } = trainer ?? {}
  return {
    state: lifecycle,
    ready: ok,
    not_ready: failing,
    step,
    last_step_time: lastStepTime === null ? null : Math.round(lastStepTime) / 1000,
    delta: lastStep?.delta ?? null,
    loss: lastStep?.loss ?? null,
    reward_up_mean: lastStep?.rewardUpMean ?? null,
    reward_down_mean: lastStep?.rewardDownMean ?? null,
    weight_mean: lastStep?.densityRatioMean ?? null,
    classifier_ready: lastStep?.classifier.ready ?? null,
    classifier_trust: lastStep?.classifier.trust ?? null,
    adapter: publisher?.version ?? null,
    adapters: watch?.state ? { ...summaryOf(watch.state), resumable: watch.resumable } : null,
    arms: state.arms.isOn ? armReports(state.arms) : null,
    uplift: upliftOf(state.arms),
    canary: canary?.report ?? null,
    servers: servers?.servers ?? {},
    lag: Object.fromEntries(reader.lag()),
    uncommitted: Object.fromEntries(reader.uncommitted()),
    held_back: state.held.heldCount,
    waiting: state.waiting,
    dead_letters: history.deadLetters,
    dead_letters_waiting: state.deadLetters.size,
    paused: reader.paused,
    training_paused: isTrainingPaused,
    guard: parts.guards?.tripped ?? null,
    partitions: reader.assignment?.partitions ?? [],
  }
}

function armReports({ trial, period }: ArmTally): Readonly<Record<ArmName, ArmReport | null>> {
  const of = { control: armReport(period.control.rate), live: armReport(period.live.rate) }
  return { ...of, canary: trial && armReport(trial.canary.rate) }
}

function upliftOf({ uplift }: ArmTally): DaemonStatus['uplift'] {
  return uplift && { value: uplift.value, low: uplift.low, high: uplift.high, since: uplift.began / 1000 }
}

/** A call of the learner may take this long, compilation included, before the daemon counts as stuck. */
const STUCK_MS = 10 * 60_000

/** What must hold for the daemon to be alive. */
export function liveChecks({ lifecycle, learner }: Pick<StatusParts, 'lifecycle' | 'learner'>): readonly Check[] {
  const busy = learner?.busyMs ?? 0
  return [
    { name: 'lifecycle', ok: lifecycle !== 'failed', detail: lifecycle },
    { name: 'learner', ok: busy <= STUCK_MS, detail: `in one call for ${Math.round(busy / 1000)} s` },
  ]
}

/** What must hold for the daemon to be ready: it trains on every partition of the topic. */
export function readyChecks(parts: Pick<StatusParts, 'lifecycle' | 'learner' | 'reader'>): readonly Check[] {
  const { lifecycle, learner, reader } = parts
  const { partitions, total } = reader.assignment ?? { partitions: [], total: null }
  return [
    { name: 'model', ok: learner !== null, detail: learner === null ? 'the model is not loaded' : 'loaded' },
    {
      name: 'assignment',
      ok: partitions.length === total && total > 0,
      detail: `${partitions.length} of ${total ?? 'unknown'} partitions`,
    },
    { name: 'running', ok: lifecycle === 'running' || lifecycle === 'paused', detail: lifecycle },
  ]
}
