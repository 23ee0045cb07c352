import { createHash } from 'node:crypto'
import type { Move } from '../moves/move.js'
import { servedName } from '../versions/version.js'

/** What routers read: which version answers which share of the users. */
export const ROUTING = 'routing.json'

/** What servers know versions by if nothing else is said. */
export const DEFAULT_NAME = 'bcod'

/** Groups of users that get different versions. */
export const ARMS = ['control', 'live', 'canary'] as const
export type ArmName = (typeof ARMS)[number]

/** A range of users and the version that answers them. `live` may have two. */
export interface Arm {
  readonly name: ArmName
  /** Null: the base model, without an adapter. */
  readonly version: string | null
  /** The name under which servers know it. */
  readonly model: string
  /** Of all users; the shares add up to 1. */
  readonly share: number
}

/** `routing.json`. */
export interface Routing {
  /** The move that it was written after. */
  readonly generation: number
  /** Servers know a version as `<name>-v00001234`. */
  readonly name: string
  readonly arms: readonly Arm[]
  /** Of the hash that gives each user an arm. */
  readonly salt: string
}

/**
 * Where a user is among all, 0 ≤ f < 1: the first 53 bits of SHA-256 over the UTF-8 of salt, a zero byte and the user, as
 * a fraction. Not for users who know the salt and choose their names.
 */
export function userFraction(salt: string, user: string): number {
  const digest = createHash('sha256').update(`${salt}\0${user}`, 'utf8').digest()
  return Number(digest.readBigUInt64BE() >> 11n) / 2 ** 53
}

/** The arm of a user, or of a conversation if the product has no users; null if there are no arms. */
export const armOf = ({ arms, salt }: Pick<Routing, 'arms' | 'salt'>, user: string): Arm | null =>
  armAt(arms, userFraction(salt, user))

/** The first arm whose cumulated share exceeds a fraction; the last one takes what rounding leaves. */
export function armAt(arms: readonly Arm[], fraction: number): Arm | null {
  let cumulated = 0
  for (const arm of arms) {
    cumulated += arm.share
    if (fraction < cumulated) return arm
  }
  return arms.at(-1) ?? null
}

/**
 * The arms after a move. Control comes first and the rest is live's, with a slice for the canary in it. The slice moves
 * on by its width with each canary: nobody who is not in either slice changes arms, and users whom one canary has annoyed
 * or pleased are not those that judge the next.
 */
export function routingOf({ generation, aliases, arms, salt }: Move, name: string): Routing {
  const { live, canary } = aliases
  if (live === null) return { generation, name, arms: [], salt }
  const { control = null, canary: trial = null, canaries = 0 } = arms ?? {}
  const controlShare = control?.share ?? 0
  const all: Arm[] = control === null ? [] : [{ name: 'control', ...control }]
  const liveArm = (share: number): Arm => ({ name: 'live', version: live, model: servedName(name, live), share })
  if (canary === null || trial === null) return { generation, name, arms: [...all, liveArm(1 - controlShare)], salt }
  const { share } = trial
  const slices = Math.max(1, Math.floor((1 - controlShare) / share + 1e-9))
  const before = ((canaries - 1) % slices) * share
  const after = 1 - controlShare - before - share
  if (before > 0) all.push(liveArm(before))
  all.push({ name: 'canary', version: canary, model: servedName(name, canary), share })
  if (after > 1e-9) all.push(liveArm(after))
  return { generation, name, arms: all, salt }
}

/** Null for what is no JSON. */
export function parseRouting(text: string | null): Partial<Routing> | null {
  try {
    return JSON.parse(text ?? 'null') as Partial<Routing> | null
  } catch {
    return null
  }
}
