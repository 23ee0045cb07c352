/** The words that travel through the pipeline. Plain immutable data; the reader's order is the order of the stages. */

/** The position of a record in the log. Offsets are safe integers, checked when they come from Kafka. */
export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** One record as the log holds it, before anything is decoded. */
export interface LogRecord extends Position {
  /** As the log has it, milliseconds since the epoch: the producer's own word, or none (−1), unless `appendTime`. */
  readonly timestamp: number
  /** The broker set the timestamp when it took the record (`LogAppendTime`). */
  readonly appendTime?: true
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Readonly<Record<string, Uint8Array>>
}

export interface Message {
  readonly role: string
  /** Null if tool calls are all that there is. */
  readonly content: string | null
  /**
   * What else a template may write of the message, as JSON: `name`, `tool_calls`, `tool_call_id`, `reasoning_content`.
   * It stays JSON until it is rendered: votes wait in memory and in checkpoints, where text is small and easy to count.
   */
  readonly extra?: string
}

/** Text taken literally, messages that go through the chat template, or exact token ids. */
export type Content =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'messages'
      readonly messages: readonly Message[]
      /** Of a prompt: `tools` and `chat_template_kwargs`, as JSON. */
      readonly extra?: string
    }
  | { readonly kind: 'tokens'; readonly tokens: readonly number[] }

/** One valid vote. */
export interface Feedback {
  readonly position: Position
  /** When it counts as written, milliseconds since the epoch: see `Watermark.timeOf`. */
  readonly timestamp: number
  readonly source: string
  readonly id: string
  /** The completion voted on; null for a bare row, which is a vote of its own. */
  readonly subject: string | null
  readonly user: string | null
  /** true = thumbs-up, false = thumbs-down, null = the earlier vote is taken back. */
  readonly label: boolean | null
  /** Of a retraction: it takes back the votes of all users on the subject, not of `user` alone. */
  readonly ofAllUsers?: true
  readonly prompt: Content
  readonly completion: Content
  /** Adapter version that wrote the completion. */
  readonly adapter: string | null
  /** The arm that the user was in according to the sender; missing if it says nothing. */
  readonly arm?: string
  readonly logprob: number | null
  /** 0..1, the event's own weight a. */
  readonly weight: number
  /** Why the answer ended, according to the server; missing if unknown. */
  readonly finishReason?: string
  /** The vote is held out of training: a hash of its conversation. */
  readonly heldOut?: number
}

/** A vote that the learner can take: token ids, a label, a weight. */
export interface TrainingEvent {
  readonly position: Position
  readonly timestamp: number
  readonly source: string
  readonly id: string
  readonly subject: string | null
  readonly user: string | null
  readonly label: boolean
  readonly weight: number
  readonly promptTokens: readonly number[]
  readonly completionTokens: readonly number[]
  /** The prompt has lost tokens from its left to fit into `limits.maxLength`. */
  readonly shortened?: true
  /** The event never trains: a hash of its conversation. */
  readonly heldOut?: number
  /** From `embeddings.url`, on its way to a step; null if it could not be had. */
  readonly promptEmbedding?: Float32Array | null
}

/** A vote that never trains, as evaluation sees it. Who gave it, and on what, is not kept. */
export interface HeldOutVote extends Pick<TrainingEvent, 'label' | 'weight' | 'promptTokens' | 'completionTokens'> {
  /** Hash of its conversation: votes of one conversation are not independent of each other. */
  readonly conversation: number
}

/** Why an event ends without training; also the `reason` label of bcod_feedback_dropped_total. */
export type DropReason =
  | 'duplicate'
  | 'superseded'
  | 'repeat'
  | 'retraction'
  | 'retracted'
  | 'tombstone'
  | 'source_refused'
  | 'other_shard'
  | 'stale'
  | 'completion_too_long'
  | 'prompt_cap'
  | 'user_cap'

/** How a producer's time was off; also the `reason` label of bcod_event_times_corrected_total. */
export type TimeCorrection = 'ahead' | 'back' | 'absent'

/** What came of asking an embedding service for a prompt; also the `outcome` label of bcod_embedded_prompts_total. */
export type EmbeddingOutcome = 'cached' | 'embedded' | 'failed'

/** State that a checkpoint writes: plain data that MessagePack can hold. `restore(snapshot())` changes nothing. */
export interface Serializable<S> {
  snapshot(): S
  restore(state: S): void
}
