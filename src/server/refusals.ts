/** What the port turns away: a Host that is not its own, a wrong token, one too many watchers or connections, requests that do not wait for answers, and what the system could not accept. */
export const REFUSALS = ['host', 'token', 'watcher', 'connection', 'pipelining', 'accept'] as const

/** A request, a watcher or a connection that was turned away. */
export interface Refusal {
  readonly reason: (typeof REFUSALS)[number]
  /** Of the client; null if it is not known. */
  readonly address: string | null
}
