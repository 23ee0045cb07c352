import { filter, map, type OperatorFunction, pipe } from 'rxjs'
import { toFeedback, toRetraction } from '../events/feedback.js'
import type { Feedback, LogRecord } from '../events/types.js'
import type { TextDescription } from '../text/text-calls.js'
import { requireEncodable } from '../text/training-event.js'
import { type Decoded, type Reject, unlessRefused } from './decode.js'

export interface Validated {
  /** Travels on until hold-back, so that a dead letter can hold the record unchanged. */
  readonly record: LogRecord
  readonly feedback: Feedback
}

export interface ValidationLimits {
  /** Token ids must be below it. */
  readonly vocabSize: number
  /** What the model's tokenizer and template can encode, to refuse here what they never can; null without them. */
  readonly text: TextDescription | null
}

/**
 * Checks envelopes and gives votes.
 *
 * Everything that can be known without tokenising is checked here, while the record is at hand: types, bounds, the
 * vocabulary, and whether the model has a tokenizer and a template for what the event holds. What is wrong goes to
 * `reject`; the stream continues. `Feedback` needs no record: it may wait in a checkpoint.
 */
export function validate(limits: ValidationLimits, reject: Reject): OperatorFunction<Decoded, Validated> {
  return pipe(
    map(({ record, envelope }) =>
      unlessRefused(
        () => {
          const feedback = envelope === null ? toRetraction(record) : toFeedback(envelope, record, limits)
          requireEncodable(feedback, limits.text)
          return { record, feedback }
        },
        (error) => reject(record, error, 'validate'),
      ),
    ),
    filter((validated) => validated !== null),
  )
}
