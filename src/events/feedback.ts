import { FEEDBACK_TYPE } from './cloud-event.js'
import { checkContinuation, readContent, readPrompt } from './content.js'
import type { Envelope } from './envelope.js'
import {
  constant,
  describe,
  id,
  invalidFeedback,
  name,
  optionalId,
  optionalName,
  optionalNumber,
  utf8,
} from './fields.js'
import { isJsonObject, type JsonObject } from './json.js'
import { positionId } from './position.js'
import type { Content, Feedback, LogRecord, Position } from './types.js'

export interface FeedbackOptions {
  /** Token ids must be below it; null if the model is not known. */
  readonly vocabSize: number | null
  /** The id of a bare row. @default positionId */
  readonly rowId?: (position: Position) => string
}

/**
 * Checks every field that bcod reads and gives the vote. Errors name the JSON path; a bare row stands for `data`.
 * Fields that bcod does not know are ignored. Prompt and completion of a retraction (`label: null`) are ignored.
 *
 * @throws FEEDBACK_INVALID
 */
export function toFeedback(
  { attributes, data, subject }: Envelope,
  record: Position & Pick<LogRecord, 'timestamp'>,
  options: FeedbackOptions,
): Feedback {
  const { rowId = positionId } = options
  const identity = attributes
    ? cloudEventIdentity(attributes)
    : { source: record.topic, id: rowId(record), subject: subject ?? null }
  if (!isJsonObject(data)) throw invalidFeedback('data', `expected an object, got ${describe(data)}`)
  const { label } = data
  if (label !== true && label !== false && label !== null) {
    throw invalidFeedback('data.label', `expected boolean or null, got ${describe(label)}`)
  }
  const finishReason = optionalName(data.finish_reason, 'data.finish_reason', invalidFeedback)
  const arm = typeof data.arm === 'string' ? data.arm.slice(0, LONGEST_ARM) : ''
  const { prompt, completion } = label === null ? NOTHING : readSides(data, options.vocabSize)
  return {
    position: { topic: record.topic, partition: record.partition, offset: record.offset },
    timestamp: record.timestamp,
    source: identity.source,
    id: identity.id,
    subject: identity.subject,
    user: data.user === '' ? null : optionalId(data.user, 'data.user', invalidFeedback),
    label,
    prompt,
    completion,
    adapter: optionalName(data.adapter, 'data.adapter', invalidFeedback),
    logprob: optionalNumber(data.logprob, -Number.MAX_VALUE, Number.MAX_VALUE, 'data.logprob', invalidFeedback),
    weight: optionalNumber(data.weight, 0, 1, 'data.weight', invalidFeedback) ?? 1,
    ...(finishReason !== null && { finishReason }),
    ...(arm !== '' && { arm }),
  }
}

/**
 * A tombstone as a retraction of every user's vote on the completion that its key names.
 *
 * @throws FEEDBACK_INVALID if the key is no name
 */
export function toRetraction({ topic, partition, offset, timestamp, key }: LogRecord): Feedback {
  const position = { topic, partition, offset }
  const subject = name(utf8(key ?? new Uint8Array(), 'key', invalidFeedback), 'key', invalidFeedback)
  return {
    ...{ position, timestamp, source: topic, id: positionId(position), subject, user: null },
    ...{ label: null, ofAllUsers: true, ...NOTHING, adapter: null, logprob: null, weight: 1 },
  }
}

type Identity = Pick<Feedback, 'source' | 'id' | 'subject'>
type Sides = Pick<Feedback, 'prompt' | 'completion'>

/** No arm has a longer name, and a vote waits in memory. */
const LONGEST_ARM = 40
const NO_TOKENS: Content = { kind: 'tokens', tokens: [] }
const NOTHING: Sides = { prompt: NO_TOKENS, completion: NO_TOKENS }

function cloudEventIdentity(attributes: JsonObject): Identity {
  if (attributes.specversion === undefined) {
    throw invalidFeedback('specversion', 'expected "1.0", got nothing: the record looks like a CloudEvent and has none')
  }
  constant(attributes.specversion, '1.0', 'specversion', invalidFeedback)
  constant(attributes.type, FEEDBACK_TYPE, 'type', invalidFeedback)
  return {
    source: name(attributes.source, 'source', invalidFeedback),
    id: id(attributes.id, 'id', invalidFeedback),
    subject: optionalId(attributes.subject, 'subject', invalidFeedback),
  }
}

function readSides(data: JsonObject, vocabSize: number | null): Sides {
  const prompt = readPrompt(data, 'data.', vocabSize, invalidFeedback)
  const completion = readContent(data, 'completion', 'completion_tokens', 'data.', vocabSize, invalidFeedback)
  checkContinuation(prompt, completion, 'data.completion', invalidFeedback)
  return { prompt, completion }
}
