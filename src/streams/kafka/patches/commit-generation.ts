import kafkajs from 'kafkajs'
import { prototypeOf } from './kafkajs.js'

interface Commit {
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

interface OffsetManager {
  readonly memberAssignment: Readonly<Record<string, readonly number[] | undefined>>
  commitOffsets(commit: Commit): Promise<void>
}

interface Runner {
  readonly running: boolean
  /** A new offset manager is made at every join, with the generation of that join. */
  readonly consumerGroup: { readonly offsetManager: OffsetManager | null }
  retrier<T>(attempt: () => Promise<T>): Promise<T>
  commitOffsets(commit: Commit): Promise<void>
}

/** The group has moved on since the commit was called. */
class CommitFenced extends kafkajs.KafkaJSNonRetriableError {
  readonly type = 'ILLEGAL_GENERATION'
}

/**
 * `commitOffsets` sends the newest generation even for partitions that this member has lost, on its own retries too,
 * and the broker takes it: a late commit overwrites the new owner's. Each call is pinned here to the generation in which
 * it was made.
 *
 * No upstream report found: kafkajs 2.2.4, src/consumer/runner.js:476, takes the offset manager anew at each try.
 */
export function pinCommitsToGeneration(): void {
  prototypeOf<Runner>('kafkajs/src/consumer/runner').commitOffsets = function (commit) {
    const pinned = this.consumerGroup.offsetManager
    return this.retrier(async () => {
      if (!this.running || pinned === null || this.consumerGroup.offsetManager !== pinned)
        throw new CommitFenced('the group has another generation')
      const lost = commit.topics.some(({ topic, partitions }) =>
        partitions.some(({ partition }) => !pinned.memberAssignment[topic]?.includes(partition)),
      )
      if (lost) throw new CommitFenced('the partition is not assigned')
      await pinned.commitOffsets(commit)
    })
  }
}
