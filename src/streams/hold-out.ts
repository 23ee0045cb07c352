import { filter, type MonoTypeOperatorFunction, map, tap } from 'rxjs'
import type { Feedback, TrainingEvent } from '../events/types.js'
import { KeyHash } from './collections/key-hash.js'
import { hashOfConversation, keyOf } from './prompt-hash.js'

/**
 * Marks a share of the conversations as held out of training (`Feedback.heldOut`), for evaluation. Which ones is a pure
 * function of conversation and seed (`hashOfConversation`), so that no prompt is on both sides, whatever its completions
 * are; a larger share takes in what a smaller one does.
 *
 *     feedback$.pipe(holdOut(0.05, seed), tokenise(…), withoutHeldOut((event) => votes.push(event)))
 *
 * @param share 0..1; 0 is off
 */
export function holdOut(share: number, seed: number): MonoTypeOperatorFunction<Feedback> {
  if (share === 0) return (source) => source
  const hash = new KeyHash(seed, HOLD_OUT_KEY)
  return map((vote) => {
    const conversation = hashOfConversation(hash, vote.prompt)
    return conversation.fraction < share ? { ...vote, heldOut: keyOf(conversation) } : vote
  })
}

/** Keeps this choice independent of others that hash the same text with the same seed. */
const HOLD_OUT_KEY = 0x686f6c64

/** Takes the events that are held out from those that train. */
export function withoutHeldOut(heldOut: (event: TrainingEvent) => void): MonoTypeOperatorFunction<TrainingEvent> {
  return (source) =>
    source.pipe(
      tap((event) => event.heldOut !== undefined && heldOut(event)),
      filter((event) => event.heldOut === undefined),
    )
}
