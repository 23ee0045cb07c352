import { createHash } from 'node:crypto'
import { FEEDBACK_TYPE } from '../../events/cloud-event.js'
import type { Completion } from '../completion.js'

/** A vote of a known voter, joined with nothing yet. */
export interface CastVote {
  readonly label: boolean | null
  /** The salted hash of the voter; null if nobody knows. */
  readonly user: string | null
  readonly weight: number
  readonly reason: string | null
  /** What tells this vote from another one of the same label. */
  readonly sequence: string
}

/** A feedback event as the topic holds it. */
export interface VoteEvent {
  readonly id: string
  /** The id of the answer, and the key of the record: votes on one answer stay in order. */
  readonly subject: string
  readonly value: Buffer
}

/**
 * The feedback event of a vote on an answer. Its id follows from the vote and its sequence, so that a vote that is sent
 * again with the same one is the same event. With another one it differs in the id alone, and the daemon counts it once,
 * because user, answer and label are the same (docs/adr/006).
 */
export function voteEvent(completion: Completion, vote: CastVote, source: string, now: Date): VoteEvent {
  const { id: subject, adapter, arm, finishReason } = completion
  const id = hashOf([subject, vote.user ?? '', String(vote.label), vote.sequence])
  const event = {
    ...{ specversion: '1.0', type: FEEDBACK_TYPE, source, id, subject, time: now.toISOString() },
    data: {
      ...(vote.label !== null && contentOf(completion)),
      label: vote.label,
      ...given({ user: vote.user, adapter, arm, finish_reason: finishReason }),
      ...(vote.weight !== 1 && { weight: vote.weight }),
      ...(vote.reason !== null && { tags: { reason: vote.reason } }),
    },
  }
  return { id, subject, value: Buffer.from(JSON.stringify(event)) }
}

/** Exact ids go with the text; whoever reads the event prefers them. */
function contentOf({ prompt, completion, ...rest }: Completion): object {
  const { promptTokens, completionTokens, tools, templateArguments } = rest
  // ids of one side alone would not continue the text of the other
  const ids = promptTokens !== null && completionTokens !== null
  return {
    ...{ prompt, completion },
    ...given({ tools, chat_template_kwargs: templateArguments }),
    ...(ids && { prompt_tokens: promptTokens, completion_tokens: completionTokens }),
  }
}

const given = (fields: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))

/** 128 bits of SHA-256 over the JSON of the parts, as hexadecimal digits. */
const hashOf = (parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
