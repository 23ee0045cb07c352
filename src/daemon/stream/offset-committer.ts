import type { SchedulerLike } from 'rxjs'
import type { FeedbackLog } from '../../streams/source.js'
import { OffsetsCommitted } from '../../telemetry/events/consumer.js'
import { Failed } from '../../telemetry/events/daemon.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import { endsWithin } from '../ends-within.js'

export interface OffsetCommitterParts {
  readonly log: Pick<FeedbackLog, 'topic' | 'commit'>
  readonly telemetry: Telemetry
  /** Called at each point that is reached. */
  readonly stage: (stage: string) => void
  /** A caller of `commit` waits this long, milliseconds: steps go on while a broker hangs. */
  readonly limitMs: number
  readonly scheduler: SchedulerLike
}

/**
 * Commits the group's offsets: those that the last durable checkpoint allows, of the partitions that are assigned. They
 * tell operators the lag; where to read from is the checkpoint's business.
 */
export class OffsetCommitter {
  #committable: ReadonlyMap<number, number> = new Map()
  #assigned: ReadonlySet<number> = new Set()
  /** What this assignment has committed; the next one gets a map of its own. */
  #committed = new Map<number, number>()
  #committing: Promise<void> | null = null

  constructor(private readonly parts: OffsetCommitterParts) {}

  /** These may be committed from now on: a checkpoint that holds everything before them is durable. */
  allow(offsets: ReadonlyMap<number, number>): void {
    this.#committable = offsets
  }

  /** The group has assigned these partitions; what it has committed for them is unknown. */
  assigned(partitions: readonly number[]): void {
    this.#assigned = new Set(partitions)
    this.#committed = new Map()
  }

  /**
   * Commits whatever is allowed and not committed yet, and waits for it for a while. Failures are reported, and the next
   * call tries again: losing the partitions meanwhile is no error, because the checkpoint holds.
   */
  async commit(): Promise<void> {
    this.#committing ??= this.#commitAll().finally(() => {
      this.#committing = null
    })
    await endsWithin(this.#committing, this.parts.limitMs, this.parts.scheduler)
  }

  /** One commit at a time, so that an older one never overtakes a newer one; what was allowed meanwhile follows. */
  async #commitAll(): Promise<void> {
    const { log, telemetry, stage } = this.parts
    for (;;) {
      const committed = this.#committed
      const offsets = this.#due()
      if (offsets.size === 0) return
      try {
        stage('committing')
        await log.commit(offsets)
        stage('committed')
        // into the map of its own assignment: a commit that ends after a rebalance says nothing about the new one
        for (const [partition, offset] of offsets) committed.set(partition, offset)
        telemetry.emit(new OffsetsCommitted(log.topic, offsets))
      } catch (error) {
        telemetry.emit(new Failed(error, false))
        return
      }
    }
  }

  #due(): ReadonlyMap<number, number> {
    return new Map(
      [...this.#committable].filter(
        ([partition, offset]) => this.#assigned.has(partition) && this.#committed.get(partition) !== offset,
      ),
    )
  }
}
