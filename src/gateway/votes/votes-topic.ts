import { setTimeout as sleep } from 'node:timers/promises'
import { concatMap, groupBy, ignoreElements, lastValueFrom, map, mergeMap } from 'rxjs'
import { asCoded, type BcodError } from '../../errors.js'
import { errorOfRecord } from '../../events/fields.js'
import type { LogRecord } from '../../events/types.js'
import type { Assignment, DeadLetter, FeedbackLog, RecordBatch } from '../../streams/source.js'
import { readTopicVote, type TopicVote } from './topic-vote.js'
import type { VoteEvent } from './vote-event.js'

export interface VotesTopicOptions {
  /** `gateway.votesTopic`, read as a member of a group that all replicas share. */
  readonly log: FeedbackLog
  /** @throws LOG_UNAVAILABLE while the answer cannot be looked up; other errors are the vote's own */
  readonly join: (vote: TopicVote) => Promise<VoteEvent>
  /** Resolves when all in-sync replicas hold the events. @throws LOG_UNAVAILABLE */
  readonly publish: (events: readonly VoteEvent[]) => Promise<void>
  /** Votes that are decided. @param outcome  `accepted`, or the code of the error that is in the dead letter */
  readonly decided: (outcome: string, count: number) => void
  /** Votes wait: something has failed, and is tried again. Told once for each wait. */
  readonly failed: (error: BcodError) => void
  /** Milliseconds between two attempts. @default 1_000 */
  readonly pause?: number
}

/** Votes that are joined at a time; they are published with one request. */
const AT_ONCE = 100
/** Fetching stops while this many records wait, and goes on at half of them. */
const MOST_WAITING = 2_000

/**
 * Joins the votes of a topic with their answers, those of one partition in their order. A position is committed once the
 * events of the votes before it are acknowledged, so a vote may be joined twice and is never lost: its event has the same
 * id each time, and the daemon counts it once. A vote that cannot be joined goes to the dead-letter topic.
 */
export class VotesTopic {
  private readonly closing = new AbortController()
  private running: Promise<void> = Promise.resolve()
  /** The assignment that is being read; what was fetched in an earlier one is read again by whoever has it now. */
  private assignment: object | null = null
  private waiting = 0
  private pausing: Promise<void> | null = null

  constructor(private readonly options: VotesTopicOptions) {}

  /** Reads until `close`, through every outage. */
  start(): void {
    this.running = this.run()
  }

  /** Leaves the group. What is not acknowledged yet is read again by the other replicas. */
  async close(): Promise<void> {
    this.closing.abort()
    await this.options.log.close()
    await this.running
  }

  private async run(): Promise<void> {
    const { signal } = this.closing
    while (!signal.aborted) {
      try {
        await this.read()
      } catch (error) {
        if (!signal.aborted) this.options.failed(asCoded(error))
      }
      await this.delay()
    }
  }

  private async read(): Promise<void> {
    this.waiting = 0
    const batch$ = this.options.log.read({
      positionsFor: async (assignment) => {
        this.assignment = assignment
        return positionsFor(assignment)
      },
      revoked: () => {
        this.assignment = null
      },
    })
    const handled$ = batch$.pipe(
      map((batch) => ({ batch: this.counted(batch), of: this.assignment })),
      groupBy(({ batch }) => batch.partition),
      mergeMap((ofPartition$) =>
        ofPartition$.pipe(
          concatMap(({ batch, of }) => this.handle(batch, () => this.assignment === of && of !== null)),
        ),
      ),
      ignoreElements(),
    )
    await lastValueFrom(handled$, { defaultValue: undefined })
  }

  private counted(batch: RecordBatch): RecordBatch {
    this.waiting += batch.records.length
    if (this.waiting >= MOST_WAITING) this.options.log.pause()
    return batch
  }

  private async handle(batch: RecordBatch, isCurrent: () => boolean): Promise<void> {
    const { records, unreadable, partition, nextOffset } = batch
    if (unreadable !== undefined) {
      const { record, error, range } = unreadable
      await this.letters([{ ...letter(record, error), range }], isCurrent)
    }
    for (let begin = 0; begin < records.length; begin += AT_ONCE) {
      const some = records.slice(begin, begin + AT_ONCE)
      await this.publish(some, isCurrent)
      this.waiting -= some.length
      if (this.waiting <= MOST_WAITING / 2) this.options.log.resume()
      const following = records[begin + AT_ONCE]?.offset ?? nextOffset
      await this.commit(partition, following, isCurrent)
    }
    if (unreadable !== undefined) await this.commit(partition, nextOffset, isCurrent)
  }

  /** Joins the votes and publishes their events, then writes the dead letters of those that cannot be joined. */
  private async publish(records: readonly LogRecord[], isCurrent: () => boolean): Promise<void> {
    const outcomes = await Promise.all(records.map((record) => this.outcomeOf(record, isCurrent)))
    const events = outcomes.flatMap((outcome) => (outcome !== null && 'subject' in outcome ? [outcome] : []))
    const letters = outcomes.flatMap((outcome) => (outcome !== null && 'code' in outcome ? [outcome] : []))
    if (events.length > 0) {
      const isPublished = await this.retried(() => this.options.publish(events), isCurrent)
      if (isPublished) this.options.decided('accepted', events.length)
    }
    await this.letters(letters, isCurrent)
  }

  /** The event of a vote, or the dead letter of what is none; null for a tombstone, and at the end of the assignment. */
  private async outcomeOf(record: LogRecord, isCurrent: () => boolean): Promise<VoteEvent | DeadLetter | null> {
    let event: VoteEvent | null = null
    try {
      const vote = readTopicVote(record)
      if (vote === null) return null
      await this.retried(async () => {
        event = await this.options.join(vote)
      }, isCurrent)
      return event
    } catch (error) {
      return letter(record, errorOfRecord(error))
    }
  }

  private async letters(letters: readonly DeadLetter[], isCurrent: () => boolean): Promise<void> {
    if (letters.length === 0) return
    const { log, decided } = this.options
    const areWritten = await this.retried(() => log.writeDeadLetters(letters), isCurrent)
    if (areWritten) for (const { code } of letters) decided(code, 1)
  }

  private async commit(partition: number, offset: number, isCurrent: () => boolean): Promise<void> {
    if (!isCurrent()) return
    await this.options.log.commit(new Map([[partition, offset]])).catch((error) => {
      // whoever has the partition now begins at the last commit
      if (asCoded(error).code !== 'KAFKA_ASSIGNMENT_LOST' && !this.closing.signal.aborted) throw error
    })
  }

  /** Tries again while Kafka is away; false if the assignment has ended meanwhile. */
  private async retried(attempt: () => Promise<void>, isCurrent: () => boolean): Promise<boolean> {
    for (let isFirst = true; isCurrent() && !this.closing.signal.aborted; isFirst = false) {
      try {
        await attempt()
        return true
      } catch (error) {
        if (!asCoded(error).retryable) throw error
        if (isFirst) this.options.failed(asCoded(error))
        await this.delay()
      }
    }
    return false
  }

  /** One wait for all votes that wait. */
  private delay(): Promise<void> {
    const { signal } = this.closing
    this.pausing ??= sleep(this.options.pause ?? 1_000, undefined, { signal })
      .catch(() => undefined)
      .finally(() => {
        this.pausing = null
      })
    return this.pausing
  }
}

/** Where the group stands; at first, where the topic begins. */
function positionsFor({ partitions, bounds, committed }: Assignment): ReadonlyMap<number, number> {
  const start = (partition: number) => bounds.get(partition)?.start ?? 0
  // what was deleted before it was read cannot be had
  return new Map(partitions.map((each) => [each, Math.max(committed.get(each) ?? 0, start(each))]))
}

const letter = (record: LogRecord, { code, line }: BcodError): DeadLetter => ({
  ...{ record, code, message: line, stage: 'join' },
})
