import type { RecordMark, Snapshot } from '../../checkpoint/snapshot.js'
import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import type { Assignment, FeedbackLog } from '../../streams/source.js'
import { isMarked, type StreamState } from './stream-state.js'

export interface StartOptions extends Pick<Config['stream'], 'start' | 'acceptGap'> {
  /** How many partitions the topic had at the first assignment of this process. */
  readonly firstTotal: number
}

/**
 * Where to read each assigned partition from. What this process has read itself decides first, then the checkpoint it
 * started from. `stream.start` is for a group without a checkpoint: a partition that appears later is read from its
 * beginning. Each assignment looks whether the log is still the one that was read.
 *
 * @param checkpoint  the one that this process started from; null on a first start
 * @throws POSITION_EXPIRED, POSITION_BEYOND_END, TOPIC_RECREATED, CLUSTER_CHANGED, CHECKPOINT_MISSING
 */
export async function startPositions(
  log: FeedbackLog,
  assignment: Assignment,
  state: StreamState,
  checkpoint: Snapshot | null,
  options: StartOptions,
): Promise<ReadonlyMap<number, number>> {
  if (checkpoint) await assertSameCluster(log, checkpoint)
  const verified = await sameRecords(log, assignment, state)
  if (
    !checkpoint &&
    assignment.committed.size > 0 &&
    options.start === null &&
    assignment.partitions.every((p) => state.positions.next(p) === undefined)
  )
    throw new BcodError(
      'CHECKPOINT_MISSING',
      `the group has committed offsets for ${assignment.committed.size} partitions, and there is no checkpoint`,
      {
        place: log.topic,
      },
    )
  const start = (partition: number) =>
    checkpoint === null && partition < options.firstTotal ? options.start : 'earliest'
  const positions = new Map(
    assignment.partitions.map((partition) => [
      partition,
      position(log, assignment, state, partition, { start: start(partition), acceptGap: options.acceptGap }),
    ]),
  )
  assertSameTopic(log, assignment, state, verified)
  return positions
}

function position(
  log: FeedbackLog,
  assignment: Assignment,
  state: StreamState,
  partition: number,
  { start, acceptGap }: Pick<StartOptions, 'start' | 'acceptGap'>,
): number {
  const bounds = assignment.bounds.get(partition) ?? { start: 0, end: 0 }
  const place = `${log.topic}-${partition}`
  const known = state.positions.next(partition)
  if (known === undefined) {
    if (start === 'latest') return bounds.end
    if (start === 'group') return Math.max(bounds.start, assignment.committed.get(partition) ?? bounds.start)
    return bounds.start
  }
  if (known > bounds.end)
    throw new BcodError('POSITION_BEYOND_END', `it was read to offset ${known}, the log ends at ${bounds.end}`, {
      place,
    })
  if (known < bounds.start && !acceptGap)
    throw new BcodError('POSITION_EXPIRED', `it was read to offset ${known}, the log now starts at ${bounds.start}`, {
      place,
    })
  return Math.max(known, bounds.start)
}

/** The checkpoint must have been made on this topic of this cluster. */
async function assertSameCluster(log: FeedbackLog, checkpoint: Snapshot): Promise<void> {
  const clusterId = await log.clusterId()
  if (checkpoint.clusterId === clusterId && checkpoint.topic === log.topic) return
  throw new BcodError(
    'CLUSTER_CHANGED',
    `the checkpoint was made on topic ${checkpoint.topic} of cluster ${checkpoint.clusterId}, this is ${log.topic} of ${clusterId}`,
    { place: log.topic },
  )
}

/**
 * Reads the last record of each partition again: another one at its offset means another log. Gives the partitions of
 * which the log still has a record that was read; retention and compaction may have taken all that are known.
 */
async function sameRecords(log: FeedbackLog, assignment: Assignment, state: StreamState): Promise<ReadonlySet<number>> {
  const verified = new Set<number>()
  const known = state.lastRecords()
  for (const partition of assignment.partitions) {
    const last = known[partition]
    const bounds = assignment.bounds.get(partition)
    if (!last || !bounds) continue
    const { earlier = [], ...newest } = last
    const kept = [newest, ...earlier].filter(({ offset }) => offset >= bounds.start && offset < bounds.end)
    if (await sameRecord(log, partition, kept)) verified.add(partition)
  }
  return verified
}

/** Whether the newest of these that the log still has is the one that was read; false if it has none. */
async function sameRecord(log: FeedbackLog, partition: number, marks: readonly RecordMark[]): Promise<boolean> {
  for (const mark of marks) {
    const record = await log.recordAt(partition, mark.offset)
    if (record === null) continue
    if (isMarked(record, mark)) return true
    throw recreated(log, partition, `the record at offset ${mark.offset} is not the one that was read`)
  }
  return false
}

/** Where no record tells, the topic's own id does. A copy that was put back record by record has another id and may stay. */
function assertSameTopic(
  log: FeedbackLog,
  { partitions, topicId = null }: Assignment,
  state: StreamState,
  verified: ReadonlySet<number>,
): void {
  const read = state.topicId
  const unknown = partitions.find((p) => !verified.has(p) && (state.positions.next(p) ?? 0) > 0)
  if (read !== null && topicId !== null && read !== topicId && unknown !== undefined)
    throw recreated(log, unknown, `the topic had the id ${read} when it was read, and has ${topicId} now`)
  state.topicId = topicId ?? read
}

const recreated = (log: FeedbackLog, partition: number, message: string): BcodError =>
  new BcodError('TOPIC_RECREATED', message, { place: `${log.topic}-${partition}` })
