/** Reasons to refuse: a foreign Host, a wrong token, one watcher or connection too many, pipelined requests, no descriptor. */
export const REFUSALS = ['host', 'token', 'watcher', 'connection', 'pipelining', 'accept'] as const

/** A request, a watcher or a connection that was refused or displaced. */
export interface Refusal {
  readonly reason: (typeof REFUSALS)[number]
  /** Of the client; null if it is not known. */
  readonly address: string | null
}
