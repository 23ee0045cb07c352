/** `   12 s  text`, since the start. */
export function timed(seconds: number, text: string): string
/** A row of so many votes in all; `said` are the last of them, `live` the version that followed and after how long. */
export function votesRow(
  votes: number,
  said: readonly { readonly label: boolean; readonly adapter: string }[],
  live: { readonly version: string; readonly seconds: number },
): string
/** What a browser posts; of its token, the beginning. */
export function shownVote(vote: {
  readonly completion: string
  readonly label: boolean
  readonly token: string
}): string
/** Of each question two answers, in two columns of a terminal so wide. */
export function sideBySide(shown: {
  readonly heads: readonly [string, string]
  readonly questions: readonly string[]
  readonly answers: readonly [readonly string[], readonly string[]]
  readonly width: number
}): string
/** What set-up has yet to fetch, and how long all of it takes. */
export function beforehand(
  missing: readonly { readonly name: string; readonly size: string; readonly minutes: number }[],
): string
