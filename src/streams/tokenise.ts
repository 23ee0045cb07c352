import { filter, map, type OperatorFunction, pipe } from 'rxjs'
import { recordOf } from '../events/encode.js'
import type { DropReason, Feedback, TrainingEvent } from '../events/types.js'
import { type TokeniseOptions, toTrainingEvent } from '../model/text/training-event.js'
import { attempt, type Reject } from './decode.js'

/**
 * Turns votes into token ids, in order.
 *
 * A completion that is too long is dropped (`completion_too_long`), and so is a retraction, which has nothing to train
 * (`retraction`). A text that template or tokenizer refuse goes to `reject`. Its record was let go at hold-back, so the
 * dead letter holds the event encoded anew, at its original position.
 */
export function tokenise(
  options: TokeniseOptions,
  reject: Reject,
  drop: (feedback: Feedback, reason: DropReason) => void,
): OperatorFunction<Feedback, TrainingEvent> {
  return pipe(
    map((feedback) => {
      const { label } = feedback
      if (label === null) {
        drop(feedback, 'retraction')
        return null
      }
      return attempt(
        () => {
          const event = toTrainingEvent({ ...feedback, label }, options)
          if (!event) drop(feedback, 'completion_too_long')
          return event
        },
        (error) => reject(recordOf(feedback), error, 'tokenise'),
      )
    }),
    filter((event) => event !== null),
  )
}
