/** Token ids of one prompt and one completion. */
export interface TokenPair {
  readonly promptTokens: readonly number[]
  readonly completionTokens: readonly number[]
}

/** Prompt and completion together. */
export const tokensOf = ({ promptTokens, completionTokens }: TokenPair): number =>
  promptTokens.length + completionTokens.length

export const sequenceOf = ({ promptTokens, completionTokens }: TokenPair): readonly number[] => [
  ...promptTokens,
  ...completionTokens,
]

/** A sequence in a tree. */
export interface Branch {
  readonly tokens: number
  /** How many of them stand there already: those that it has in common with the one before it. */
  readonly shared: number
}

/**
 * Sequences that begin alike, as a tree: what several of them have in common stands once. Their order is that of a walk
 * through the tree: each shares its longest beginning with the one before it.
 */
export interface TokenTree {
  /** By their index. */
  readonly events: readonly number[]
  /** How each stands in it. */
  readonly branches: readonly Branch[]
  /** How many tokens stand in it. */
  readonly tokens: number
  /** Tokens of its longest sequence. */
  readonly longest: number
  /** Completion tokens, each as often as there is an event that it is voted on in. */
  readonly targets: number
}

/** How many tokens two sequences have in common, from the first one on. */
export function sharedStart(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length)
  for (let i = 0; i < most; i++) if (a[i] !== b[i]) return i
  return most
}

/** Each event by itself, in the order given. */
export const singleTrees = (events: readonly TokenPair[]): readonly TokenTree[] =>
  events.map((event, index) => ({
    ...{ events: [index], tokens: tokensOf(event), longest: tokensOf(event) },
    branches: [{ tokens: tokensOf(event), shared: 0 }],
    targets: event.completionTokens.length,
  }))

/** One event of a walk through trees. */
export interface Walked extends Branch {
  readonly index: number
  readonly targets: number
}

/** Events in the order of a dictionary: what begins alike stands together. */
export function walkThrough(events: readonly TokenPair[]): readonly Walked[] {
  const sequences = events.map(sequenceOf)
  const order = sequences.map((_, index) => index).sort((a, b) => compare(sequences, a, b))
  const at = (place: number) => sequences[order[place] as number] as readonly number[]
  return order.map((index, place) => ({
    ...{ index, tokens: at(place).length, targets: (events[index] as TokenPair).completionTokens.length },
    shared: place === 0 ? 0 : sharedStart(at(place - 1), at(place)),
  }))
}

/** How large a tree may be. */
export interface TreeLimits {
  readonly tokens: number
  readonly sequences: number
}

/** Events that have at least `least` tokens in common, in trees that are no larger: a pure function of its arguments. */
export function growTrees(walk: readonly Walked[], least: number, most: TreeLimits): readonly TokenTree[] {
  const trees: { events: number[]; branches: Branch[]; tokens: number; longest: number; targets: number }[] = []
  for (const { index, shared, ...own } of walk) {
    const tree = trees.at(-1)
    const tokens = (tree?.tokens ?? 0) + own.tokens - shared
    const targets = (tree?.targets ?? 0) + own.targets
    const isFull = Math.max(tokens, targets) > most.tokens || tree?.events.length === most.sequences
    if (tree === undefined || shared < least || isFull)
      trees.push({ events: [index], branches: [{ tokens: own.tokens, shared: 0 }], ...own, longest: own.tokens })
    else {
      tree.events.push(index)
      tree.branches.push({ tokens: own.tokens, shared })
      Object.assign(tree, { tokens, targets, longest: Math.max(tree.longest, own.tokens) })
    }
  }
  return trees
}

/** What is equal stays in order. */
function compare(sequences: readonly (readonly number[])[], a: number, b: number): number {
  const [left, right] = [sequences[a] as readonly number[], sequences[b] as readonly number[]]
  const shared = sharedStart(left, right)
  return (left[shared] ?? -1) - (right[shared] ?? -1) || a - b
}
