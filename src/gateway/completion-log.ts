import type { Completion } from './completion.js'

/** Where answers wait for votes. */
export interface CompletionLog {
  /** False while Kafka is away: an answer that begins now may never be found, so it gets no vote token. */
  readonly available: boolean
  /** Takes the record of an answer. Never throws and never waits: what cannot be kept is counted as lost. */
  record(completion: Completion): void
  /**
   * The answer with this id; null if the log has none.
   *
   * @throws COMPLETION_EXPIRED, LOG_UNAVAILABLE
   */
  find(id: string): Promise<Completion | null>
  /** Sends what is still waiting, for a few seconds at most. */
  close(): Promise<void>
}
