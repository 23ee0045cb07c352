/** Messages of TensorFlow's distributed runtime (tensorflow/core/protobuf/{cluster,config,tensorflow_server}.proto). */
import { WITHOUT_META_OPTIMIZER } from '../places.js'
import { bytes, message, type Part, varint } from '../protobuf-wire.js'

/** A server that knows nobody but itself. */
export interface ServerSpec {
  /** Its own name: letters, digits and `_`. Must not be the name of the job in a session. */
  readonly job: string
  /** `host:port` at which others reach it. */
  readonly address: string
  /** Threads that share the work of one operation. */
  readonly threads: number
  /**
   * Threads that operations run on side by side. One for each device and two more, or else the operation that holds the
   * last one keeps what others wait for from being sent, and a round runs one block after the other.
   */
  readonly interOpThreads: number
}

/** The ServerDef of a server. */
export const serverDefinition = ({ job, address, threads, interOpThreads }: ServerSpec): Uint8Array =>
  message(
    bytes(1, clusterDefinition(job, [address])),
    bytes(2, job),
    bytes(4, message(varint(2, threads), varint(5, interOpThreads))),
    bytes(5, 'grpc'),
  )

/** The job of a session's tasks: the leader is the first of them. */
export const SESSION_JOB = 'learner'

/** The name of a device in a session over several tasks. @param device  as in `CPU:0` */
export const deviceOf = (task: number, device: string): string =>
  `/job:${SESSION_JOB}/replica:0/task:${task}/device:${device}`

/** Options of a session over several tasks. */
export interface SessionSpec {
  /** `host:port` of every task: the leader's as its own server has it, then those of the workers. */
  readonly addresses: readonly string[]
  /** A run that takes longer has failed, milliseconds: above the longest compilation. */
  readonly operationTimeout: number
}

/**
 * The ConfigProto of a session over several tasks. The session tells the workers of each other, so that it is chosen anew
 * for each session who takes part (ClusterSpec propagation). What they keep and have compiled outlives the session.
 */
export const clusterSessionConfig = ({ addresses, operationTimeout }: SessionSpec): Uint8Array =>
  message(
    WITHOUT_META_OPTIMIZER,
    varint(11, operationTimeout),
    bytes(14, clusterDefinition(SESSION_JOB, addresses)),
    // experimental.share_session_state_in_clusterspec_propagation
    bytes(16, varint(8, 1)),
  )

function clusterDefinition(job: string, addresses: readonly string[]): Part {
  const tasks = addresses.map((address, index) => bytes(2, message(varint(1, index), bytes(2, address))))
  return bytes(1, message(bytes(1, job), ...tasks))
}
