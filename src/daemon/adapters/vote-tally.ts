import type { VoteCounts } from '../../adapters/versions/version-record.js'

/** A vote as it trained. */
export interface TrainedVote {
  readonly source: string
  readonly label: boolean
}

/** Sources beyond these are counted together: anybody may name a new one with every vote. */
const MAX_SOURCES = 100
const OTHERS = 'others'
/** How many steps of versions are remembered. */
const MAX_MARKS = 200

/** Counts votes as they train, by label and source, and how many have trained since the step of an older version. */
export class VoteTally {
  readonly #total: Counts = { up: new Map(), down: new Map() }
  /** The total at the steps that versions came from. */
  readonly #marks = new Map<number, Counts>()

  /**
   * @param start      the step that the process started from
   * @param journaled  the votes learnt in the steps after one, up to another: for versions that are older than the process
   */
  constructor(
    start: number,
    private readonly journaled: (after: number, upTo: number) => AsyncIterable<TrainedVote>,
  ) {
    this.#marks.set(start, copy(this.#total))
  }

  trained(votes: readonly TrainedVote[]): void {
    for (const vote of votes) count(this.#total, vote)
  }

  /** Remembers that the last step so far is that of a version. */
  mark(step: number): void {
    this.#marks.set(step, copy(this.#total))
    for (const old of [...this.#marks.keys()].slice(0, -MAX_MARKS)) this.#marks.delete(old)
  }

  /** Learning goes on from an older version: what has trained before this step is no longer known to be in the weights. */
  resumed(step: number): void {
    this.#marks.clear()
    this.mark(step)
  }

  /** Votes that have trained after a step, up to the last one. @throws JOURNAL_INVALID */
  async since(step: number, last: number): Promise<VoteCounts> {
    const then = this.#marks.get(step)
    if (then) return { up: difference(this.#total.up, then.up), down: difference(this.#total.down, then.down) }
    const counts: Counts = { up: new Map(), down: new Map() }
    for await (const vote of this.journaled(step, last)) count(counts, vote)
    return { up: Object.fromEntries(counts.up), down: Object.fromEntries(counts.down) }
  }
}

interface Counts {
  readonly up: Map<string, number>
  readonly down: Map<string, number>
}

const copy = ({ up, down }: Counts): Counts => ({ up: new Map(up), down: new Map(down) })

function count(counts: Counts, { source, label }: TrainedVote): void {
  const bySource = label ? counts.up : counts.down
  const name = bySource.has(source) || bySource.size < MAX_SOURCES ? source : OTHERS
  bySource.set(name, (bySource.get(name) ?? 0) + 1)
}

function difference(now: ReadonlyMap<string, number>, then: ReadonlyMap<string, number>): Record<string, number> {
  const more = [...now].map(([source, votes]) => [source, votes - (then.get(source) ?? 0)] as const)
  return Object.fromEntries(more.filter(([, votes]) => votes > 0))
}
