import { Observable, type OperatorFunction } from 'rxjs'
import { BcodError } from '../errors.js'
import { recordOf } from '../events/encode.js'
import type { DropReason, Feedback, TrainingEvent } from '../events/types.js'
import { deserializeError } from '../serialized-error.js'
import type { LabelledVote, Outcome, TokenLimits } from '../text/text-calls.js'
import type { TextService } from '../text/text-process.js'
import { toTrainingEvent } from '../text/training-event.js'
import { type Reject, unlessRefused } from './decode.js'
import { needsText, type TextQueue } from './text-queue.js'

export interface TokeniseOptions extends TokenLimits {
  /** Null if the model directory has no tokenizer: then only token ids can be used. */
  readonly text: Pick<TextService, 'description' | 'tokenise'> | null
  /** Called when votes have left the queue. */
  readonly moved?: () => void
}

/**
 * Turns votes into token ids, in order.
 *
 * Text is tokenised in another process, so votes with text wait in `queue`, and later votes wait behind them: events keep
 * the order of the votes. If the queue is empty, a vote of token ids is emitted synchronously. A vote
 * leaves the queue in the call in which it becomes an event, a dead letter, or is dropped: it is always in one place.
 *
 * A completion that is too long is dropped (`completion_too_long`), and so is a retraction, which has nothing to train
 * (`retraction`). A text that template or tokenizer refuse goes to `reject`. Its record was let go at hold-back, so the
 * dead letter holds the event encoded again, at its original position.
 */
export function tokenise(
  queue: TextQueue,
  { text, moved = () => undefined, maxLength, vocabSize }: TokeniseOptions,
  reject: Reject,
  drop: (feedback: Feedback, reason: DropReason) => void,
): OperatorFunction<Feedback, TrainingEvent> {
  const refuse = (vote: Feedback, error: BcodError) => reject(recordOf(vote), error, 'tokenise')
  // goes to another process: nothing but what it takes
  const limits: TokenLimits = { maxLength, vocabSize }
  const ofTokens = { ...limits, text: null, bosId: text?.description.bos ?? null }

  /** The event of a vote of token ids. */
  const fitted = (vote: Feedback): TrainingEvent | null => {
    if (vote.label === null) {
      drop(vote, 'retraction')
      return null
    }
    return unlessRefused(
      () => {
        const event = toTrainingEvent(vote as LabelledVote, ofTokens)
        if (!event) drop(vote, 'completion_too_long')
        return event
      },
      (error) => refuse(vote, error),
    )
  }

  /** The event of a vote with text. */
  const arrived = (vote: Feedback, outcome: Outcome | undefined): TrainingEvent | null => {
    if (!outcome) throw new BcodError('INTERNAL', 'a vote came back without an outcome')
    if ('error' in outcome) {
      refuse(vote, deserializeError(outcome.error))
      return null
    }
    if (!outcome.event) drop(vote, 'completion_too_long')
    return outcome.event
  }

  return (source) =>
    new Observable((subscriber) => {
      let asking = false
      let ended = false
      const emit = (event: TrainingEvent | null): void => {
        if (event) subscriber.next(event)
      }

      const ask = async (votes: readonly Feedback[]): Promise<void> => {
        const texts = votes.filter(needsText) as readonly LabelledVote[]
        const outcomes = text ? await text.tokenise(texts, limits) : []
        if (subscriber.closed) return
        let next = 0
        for (const vote of votes) {
          queue.shift()
          // without a tokenizer this says so
          emit(text && needsText(vote) ? arrived(vote, outcomes[next++]) : fitted(vote))
        }
      }

      const goOn = (): void => {
        if (asking || subscriber.closed) return
        const votes = queue.first()
        if (votes.length === 0) {
          if (ended) subscriber.complete()
          return
        }
        asking = true
        ask(votes).then(
          () => {
            asking = false
            moved()
            goOn()
          },
          (error: unknown) => subscriber.error(error),
        )
      }

      subscriber.add(
        source.subscribe({
          next: (vote) => {
            if (queue.count === 0 && !needsText(vote)) return emit(fitted(vote))
            queue.push(vote)
            goOn()
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => {
            ended = true
            goOn()
          },
        }),
      )
      // what a checkpoint brought back
      goOn()
    })
}
