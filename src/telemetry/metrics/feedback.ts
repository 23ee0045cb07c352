import type { ErrorCode } from '../../errors.js'
import type { DropReason, TimeCorrection } from '../../events/types.js'
import type { MetricSet } from './metric-set.js'

/** Metrics of votes on their way to a step, and of those that never get there. */
export function feedbackMetrics(set: MetricSet) {
  const metrics = {
    feedbackEvents: set.counter('feedback_events_total', 'events', 'Valid votes read from the topic.', ['label']),
    feedbackDropped: set.counter('feedback_dropped_total', 'events', 'Votes dropped instead of trained, by reason.', [
      'reason',
    ]),
    framedRecords: set.counter(
      'framed_records_total',
      'records',
      'Records whose JSON followed the framing bytes of a schema registry.',
    ),
    promptsShortened: set.counter(
      'prompts_shortened_total',
      'events',
      'Events whose prompt was truncated from the left to fit limits.maxLength.',
    ),
    textRestarts: set.counter(
      'text_restarts_total',
      'restarts',
      'Restarts of the process that runs chat template and tokenizer: it crashed, or a text took too long.',
    ),
    deadLetters: set.counter(
      'dead_letters_total',
      'records',
      'Records written to the dead-letter topic, by error code.',
      ['code'],
    ),
    unreadableRecords: set.counter(
      'unreadable_records_total',
      'records',
      'Records of unreadable batches, as counted in the batch headers. Each batch is one dead letter.',
      ['code'],
    ),
    eventTimesCorrected: set.counter(
      'event_times_corrected_total',
      'records',
      'Records whose timestamp was missing or off by more than a minute: ahead of the clock, or older than what had been read. Hold-back uses the corrected time.',
      ['reason'],
    ),
    heldBack: set.gauge(
      'held_back_records',
      'records',
      'Votes held back in case a later vote on the same completion replaces them.',
    ),
    heldOutVotes: set.gauge('held_out_votes', 'events', 'Held-out votes that are kept to measure candidates on.', [
      'label',
    ]),
    waitingBytes: set.gauge(
      'waiting_bytes',
      'bytes',
      'Bytes that were read and are waiting, by place: fetched, held, tokenising, batching, held-out votes and dead letters in memory, and dead letters on disk. Held-out votes are kept for the gate.',
      ['place'],
    ),
    readingPaused: set.gauge('reading_paused', 'boolean', '1 while reading is paused because too much is waiting.'),
  }
  for (const label of ['up', 'down', 'retract']) metrics.feedbackEvents.inc({ label }, 0)
  for (const reason of Object.keys(DROP_REASONS)) metrics.feedbackDropped.inc({ reason }, 0)
  for (const code of DEAD_LETTER_CODES) metrics.deadLetters.inc({ code }, 0)
  for (const code of BATCH_CODES) metrics.unreadableRecords.inc({ code }, 0)
  for (const reason of Object.keys(TIME_CORRECTIONS)) metrics.eventTimesCorrected.inc({ reason }, 0)
  metrics.readingPaused.set(0)
  return metrics
}

const TIME_CORRECTIONS: Readonly<Record<TimeCorrection, true>> = { ahead: true, back: true, absent: true }

const DROP_REASONS: Readonly<Record<DropReason, true>> = {
  duplicate: true,
  superseded: true,
  repeat: true,
  retraction: true,
  retracted: true,
  tombstone: true,
  source_refused: true,
  other_shard: true,
  stale: true,
  completion_too_long: true,
  prompt_cap: true,
  user_cap: true,
}

/** Why a whole batch of records becomes one dead letter. */
const BATCH_CODES: readonly ErrorCode[] = ['KAFKA_BATCH_DAMAGED', 'KAFKA_BATCH_TOO_LARGE', 'KAFKA_CODEC_UNKNOWN']

/** What can be wrong with one record, from its bytes to its step. */
const DEAD_LETTER_CODES: readonly ErrorCode[] = [
  ...BATCH_CODES,
  'FEEDBACK_NOT_JSON',
  'FEEDBACK_INVALID',
  'FEEDBACK_TOO_LARGE',
  'FEEDBACK_UNREADABLE',
  'TEXT_WITHOUT_TOKENIZER',
  'TOKENIZE_FAILED',
  'CHAT_TEMPLATE_MISSING',
  'CHAT_TEMPLATE_FAILED',
  'MESSAGE_NOT_RENDERED',
  'CONTROL_TOKEN_IN_TEXT',
  'TEXT_TIMEOUT',
  'TEXT_PROCESS_ENDED',
  'TRAIN_NONFINITE',
  'TRAIN_OUT_OF_MEMORY',
]
