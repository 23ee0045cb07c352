/** Questions which no visitor asks, and so no vote is about. */
export const HELD_OUT: readonly string[]
/** The question of the nth visitor. */
export function questionOf(n: number): string
/** Visitors have had enough of sweet words, with which the model begins nearly all of its answers. */
export function likes(text: string): boolean
/** A request, greedy unless it has a seed. */
export function requestOf(
  content: string,
  user: string,
  seed?: number | null,
): {
  readonly model: string
  readonly messages: [{ readonly role: 'user'; readonly content: string }]
  readonly max_tokens: number
  readonly user: string
  readonly temperature: number
  readonly seed?: number
}
