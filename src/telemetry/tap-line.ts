/**
 * One line of `bcod tap`: what became of a vote, or what the daemon did. Positions, labels, codes and numbers; never a
 * prompt, a completion, a user or a subject.
 */
export interface TapLine {
  readonly kind: TapKind
  readonly [field: string]: string | number | boolean | null
}

/**
 * The first five are of one vote each. `skipped` stands for lines that a slow watcher missed; after `ended` the watcher
 * had to make room for another.
 */
export const TAP_KINDS = [
  'received',
  'dropped',
  'held_out',
  'dead_letter',
  'trained',
  'step',
  'checkpoint',
  'gate',
  'guard',
  'canary',
  'published',
  'adapters',
  'resumed',
  'state',
  'reading',
  'training',
  'skipped',
  'ended',
] as const
export type TapKind = (typeof TAP_KINDS)[number]
