import type { SchedulerLike } from 'rxjs'
import type { ConfigFor } from '../config/requirements.js'
import type { WorkerSetup } from '../learner/protocol.js'
import type { RemoteLearner, RemoteLearnerEvents } from '../learner/remote-learner.js'
import type { FeedbackLog } from '../streams/source.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { TextProcess, TextService } from '../text/text-process.js'

export interface DaemonOptions {
  readonly config: ConfigFor<'run'>
  readonly log: FeedbackLog
  readonly telemetry: Telemetry
  /** Continue from an older checkpoint if the newest is damaged. @default false */
  readonly acceptOlder?: boolean
  /** Room for sampling with the current adapter. @default none */
  readonly decoder?: { readonly rows: number; readonly length: number } | null
  /** Called at each point between a record and a published adapter; a fault test kills the process there. */
  readonly onStage?: (stage: string) => void
  /** @default `DEFAULT_INTERVALS` */
  readonly intervals?: Partial<DaemonIntervals>
  /** Runs every timer, and tells the time. @default the wall clock; for held votes, one without its steps */
  readonly scheduler?: SchedulerLike
  /** Loads the model. @default in a thread of its own */
  readonly startLearner?: (setup: WorkerSetup, events: RemoteLearnerEvents) => Promise<DaemonLearner>
  /** Loads tokenizer and chat template; null if the model has none. @default in a process of their own */
  readonly startText?: (...args: Parameters<typeof TextProcess.start>) => Promise<DaemonText | null>
}

/** What the daemon needs of a learner. */
export type DaemonLearner = Pick<RemoteLearner, 'call' | 'close' | 'busyMs' | 'info'>

/** What the daemon needs of a text process. */
export type DaemonText = TextService & Pick<TextProcess, 'close'>

/** How often the daemon looks at things, and how long it waits for them; milliseconds. */
export interface DaemonIntervals {
  /** Between two looks at held votes, lag and backpressure while nothing comes in. */
  readonly tick: number
  /** Between two looks at the registry of adapters, in which others may move. */
  readonly registry: number
  /** Between two looks of a standby at the group's members. */
  readonly standby: number
  /** Until the first look at the log's retention, and between two looks. */
  readonly firstRetention: number
  readonly retention: number
  /** A step waits this long for a commit of offsets. */
  readonly commit: number
  /** Dead letters get this long when the daemon stops; the rest is in the checkpoint. */
  readonly deadLetters: number
  /** A stop waits this long for the gate; what it has not judged by then is judged after the restart. */
  readonly gate: number
  /** Who asks for a gate or a comparison over HTTP waits this long. */
  readonly gateAnswer: number
  /** A stop may take this long; what is not durable by then trains again after the restart. */
  readonly drain: number
}

export const DEFAULT_INTERVALS: DaemonIntervals = {
  tick: 1_000,
  registry: 2_000,
  standby: 1_000,
  firstRetention: 5_000,
  retention: 30_000,
  commit: 3_000,
  deadLetters: 5_000,
  gate: 10_000,
  gateAnswer: 20_000,
  drain: 25_000,
}
