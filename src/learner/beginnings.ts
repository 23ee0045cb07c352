import type { PackedShape } from '../model/packed-shape.js'
import { type TokenPair, tokensOf, walkThrough } from './token-trees.js'

/** Beginnings are known in whole runs of so many tokens: what two prompts share by chance behind a system prompt is left to them. */
const RUN = 64
/** Shorter ones are computed with what continues them. */
export const LEAST_BEGINNING = 256
/** Room for beginnings, in tokens. */
const ROOMS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64].map((times) => times * LEAST_BEGINNING)

/** Tokens, rows and their length of what continues a beginning. */
const BEHIND = [
  [256, 1, 256],
  [512, 3, 256],
  [512, 1, 512],
  [1024, 5, 256],
  [1024, 3, 512],
] as const

/** Shapes of beginnings, which stand alone, and of what continues them; smallest first. */
export interface BeginningShapes {
  readonly alone: readonly PackedShape[]
  readonly behind: readonly PackedShape[]
}

/**
 * @param maxLength  longest prompt + completion, in tokens
 * @param size       events of an optimizer step
 */
export function beginningShapes(maxLength: number, size: number): BeginningShapes {
  const rooms = ROOMS.filter((_, i) => (ROOMS[i - 1] ?? LEAST_BEGINNING - 1) < maxLength - 1 && size > 1)
  const alone = rooms.map((room) => ({ tokens: room, sequences: 1, rows: 1, length: room, longest: room }))
  const behind = rooms.flatMap((beginning) =>
    BEHIND.map(([tokens, rows, length]) => ({
      ...{ tokens, rows, length, longest: length, beginning },
      sequences: Math.min(size, tokens),
    })),
  )
  return { alone, behind }
}

/** Events that continue one beginning, by their index. */
export interface Continuing {
  readonly beginning: readonly number[]
  readonly events: readonly number[]
}

/**
 * Beginnings that are worth knowing: at least two events of a step continue each, within their prompts. A pure function
 * of the events and the lengths.
 *
 * @param longest  tokens behind a beginning, at most
 * @param room     tokens of a beginning, at most
 */
export function findBeginnings(
  events: readonly TokenPair[],
  { longest, room }: { readonly longest: number; readonly room: number },
): readonly Continuing[] {
  const walk = walkThrough(events)
  const promptOf = (index: number) => (events[index] as TokenPair).promptTokens
  const groups: { shared: number; events: number[] }[] = []
  for (const { index, shared } of walk) {
    const group = groups.at(-1)
    const own = Math.min(room, promptOf(index).length - 1)
    const common = Math.min(group?.shared ?? 0, shared, own)
    if (group !== undefined && common >= LEAST_BEGINNING) {
      group.events.push(index)
      group.shared = common
    } else groups.push({ shared: own, events: [index] })
  }
  return groups.flatMap(({ shared, events: all }) => {
    const tokens = Math.floor(shared / RUN) * RUN
    const fitting = all.filter((index) => tokensOf(events[index] as TokenPair) - tokens <= longest)
    if (fitting.length < 2) return []
    return [{ beginning: promptOf(fitting[0] as number).slice(0, tokens), events: fitting.toSorted((a, b) => a - b) }]
  })
}
