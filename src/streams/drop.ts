import type { DropReason, Feedback } from '../events/types.js'

/** Told of every event that ends at a stage without training, once. */
export type Drop<E = Feedback> = (event: E, reason: DropReason) => void
