import type { Config } from '../config/config.js'
import { Admission } from './admit.js'
import { DedupWindow } from './dedup.js'
import type { Drop } from './drop.js'
import { HeldOutVotes } from './held-out-votes.js'
import { HoldBack } from './hold-back.js'
import { MemoryLedger } from './memory-ledger.js'
import { TextQueue } from './text-queue.js'
import { VoteLedger } from './vote-ledger.js'

/** How many admitted events the caps on users and prompts look back on. */
const ADMISSION_WINDOW = 10_000

/**
 * What held votes may have of `stream.pendingBytes`; above it the oldest are released early. Held votes wait for more to
 * be read, so they must never be what keeps it from being read.
 */
const HELD_SHARE = 0.4

/** What held-out votes may have of it; above it the oldest are forgotten. */
const HELD_OUT_SHARE = 0.1

export type VoteSettings = Pick<Config, 'stream' | 'limits' | 'eval'>

/** The states of the stages between a vote and a training event (`trainingEvents`). */
export class VoteState {
  readonly memory = new MemoryLedger()
  readonly dedup: DedupWindow
  readonly ledger: VoteLedger
  readonly held: HoldBack
  readonly admission: Admission
  /** Votes that are being tokenised. */
  readonly texts: TextQueue
  readonly heldOut: HeldOutVotes

  constructor({ stream, limits, eval: { holdOut, holdOutKeep, holdOutAge } }: VoteSettings, drop: Drop) {
    this.dedup = new DedupWindow(stream.dedupWindow)
    this.ledger = new VoteLedger(stream.ledger)
    this.held = new HoldBack({
      window: stream.holdBack,
      maxBytes: HELD_SHARE * stream.pendingBytes,
      memory: this.memory.held,
      bySubject: stream.tombstones === 'retract',
      ledger: this.ledger,
      drop,
    })
    const { userShare, userMinimum, promptRepeats, adapterAge } = limits
    this.admission = new Admission({ window: ADMISSION_WINDOW, userShare, userMinimum, promptRepeats, adapterAge })
    this.texts = new TextQueue(this.memory.tokenising)
    this.heldOut = new HeldOutVotes({
      perLabel: holdOut > 0 ? holdOutKeep : 0,
      maxAge: holdOutAge,
      maxBytes: HELD_OUT_SHARE * stream.pendingBytes,
      memory: this.memory.heldOut,
    })
  }
}
