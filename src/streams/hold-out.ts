import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import type { Feedback } from '../events/types.js'
import { KeyHash } from './collections/key-hash.js'

/**
 * Keeps a share of the completions (of the bare rows, by id) out of training, for evaluation.
 * Which ones is a pure function of subject and seed, and a larger share takes in what a smaller one does.
 *
 *     feedback$.pipe(holdOut(0.05, seed, (event) => evaluation.add(event)))
 *
 * @param share 0..1; 0 is off
 */
export function holdOut<E extends Pick<Feedback, 'subject' | 'id'>>(
  share: number,
  seed: number,
  heldOut: (event: E) => void,
): MonoTypeOperatorFunction<E> {
  const hash = new KeyHash(seed, HOLD_OUT_KEY)
  return filter((event) => {
    const isOut = share > 0 && hash.of(event.subject ?? event.id).fraction < share
    if (isOut) heldOut(event)
    return !isOut
  })
}

/** Keeps this choice independent of others that hash the same subject with the same seed. */
const HOLD_OUT_KEY = 0x686f6c64
