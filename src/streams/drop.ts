import type { DropReason, Feedback } from '../events/types.js'

/** Called once for each event that a stage drops. */
export type Drop<E = Feedback> = (event: E, reason: DropReason) => void
