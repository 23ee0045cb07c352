import { WITHOUT_META_OPTIMIZER } from '../places.js'
import { message, varint } from '../protobuf-wire.js'
import { sessions } from '../tensorflow.js'

/**
 * What servers keep is in containers, which can be freed as a whole. The default one is TensorFlow's own: what XLA has
 * compiled is there.
 */

/** Of what a session's programs write. */
export const STATE_CONTAINER = 'bcod_state'
/** Of frozen weights, which outlive sessions and leaders. */
export const WEIGHTS_CONTAINER = 'bcod_weights'
/** Nothing is in it. */
const EMPTY_CONTAINER = 'bcod_none'

/** How long a server may take to answer what takes it no time, milliseconds. */
export const ANSWER_LIMIT_MS = 20_000
/** The same of one that has kept something from ending already. */
const PING_LIMIT_MS = 2_000

/** The target of a session that a worker's own master leads. @param worker  `host:port` */
export const targetOf = (worker: string): string => `grpc://${worker}`

/** The ConfigProto of such a session. @param timeout  a run that takes longer has failed, milliseconds; 0: none */
export const serverConfig = (timeout: number): Uint8Array => message(WITHOUT_META_OPTIMIZER, varint(11, timeout))

/** Frees what a server keeps in a container. @throws Error with TensorFlow's code */
export const freeContainer = (target: string, container: string, limit = ANSWER_LIMIT_MS): void =>
  sessions.reset(target, [container], serverConfig(limit))

/** Whether a worker answers at all. */
export function answers(worker: string): boolean {
  try {
    freeContainer(targetOf(worker), EMPTY_CONTAINER, PING_LIMIT_MS)
    return true
  } catch {
    return false
  }
}
