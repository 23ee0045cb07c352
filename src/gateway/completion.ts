import { v7, validate, version } from 'uuid'
import type { ArmName } from '../adapters/registry/routing.js'
import type { JsonObject } from '../events/json.js'

/** One answer of the model, as the completions topic keeps it until somebody votes on it. */
export interface Completion {
  /** `cmpl-` and a UUID of version 7; a choice k > 0 of the same request ends with `:k`. */
  readonly id: string
  /** When the request came. */
  readonly time: Date
  /** As the client asked for it. */
  readonly model: string
  /** The version that answered; null = the base. */
  readonly adapter: string | null
  readonly arm: ArmName | null
  /** A salted hash; null if the request named nobody. */
  readonly user: string | null
  readonly prompt: readonly JsonObject[] | string
  /** Text, or messages if there is more than text. */
  readonly completion: readonly JsonObject[] | string
  /** What the model was told that it may call. */
  readonly tools: readonly JsonObject[] | null
  readonly templateArguments: JsonObject | null
  /** Null if the server does not give them. */
  readonly promptTokens: readonly number[] | null
  readonly completionTokens: readonly number[] | null
  readonly finishReason: string | null
  readonly usage: JsonObject | null
  readonly votable: boolean
  /** Why nobody can vote on it; null if one can. */
  readonly reason: string | null
}

const PREFIX = 'cmpl-'
const CHOICE = /^:([1-9]\d{0,3})$/
const UUID_LENGTH = 36

/** An id that sorts by time: its first 48 bits are `now` in milliseconds. */
export const newCompletionId = (now: Date): string => `${PREFIX}${v7({ msecs: now.getTime() })}`

/** The id of choice `k` of an answer, counted from 0. */
export const choiceId = (id: string, k: number): string => (k === 0 ? id : `${id}:${k}`)

/** The id of the whole answer that a choice belongs to. */
export const answerId = (id: string): string => id.slice(0, PREFIX.length + UUID_LENGTH)

/** The time inside an id; null if it is none that a gateway gives. */
export function completionTime(id: string): Date | null {
  const uuid = id.slice(PREFIX.length, PREFIX.length + UUID_LENGTH)
  const choice = id.slice(PREFIX.length + UUID_LENGTH)
  if (!id.startsWith(PREFIX) || (choice !== '' && !CHOICE.test(choice))) return null
  if (!validate(uuid) || version(uuid) !== 7 || uuid !== uuid.toLowerCase()) return null
  return new Date(Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16))
}
