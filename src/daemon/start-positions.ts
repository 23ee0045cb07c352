import type { Snapshot } from '../checkpoint/snapshot.js'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import type { Assignment, FeedbackLog } from '../streams/source.js'
import { recordSha256, type StreamState } from './stream-state.js'

type StartOptions = Pick<Config['stream'], 'start' | 'acceptGap'>

/**
 * Where to read each assigned partition from. What this process has read itself decides first, then the checkpoint it
 * started from; without one, `stream.start`.
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
  if (checkpoint) await sameLog(log, assignment, checkpoint)
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
  return new Map(
    assignment.partitions.map((partition) => [partition, position(log, assignment, state, partition, options)]),
  )
}

function position(
  log: FeedbackLog,
  assignment: Assignment,
  state: StreamState,
  partition: number,
  { start, acceptGap }: StartOptions,
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
    throw new BcodError(
      'POSITION_BEYOND_END',
      `the checkpoint has read to offset ${known}, the log ends at ${bounds.end}`,
      { place },
    )
  if (known < bounds.start && !acceptGap)
    throw new BcodError(
      'POSITION_EXPIRED',
      `the checkpoint has read to offset ${known}, the log now starts at ${bounds.start}`,
      { place },
    )
  return Math.max(known, bounds.start)
}

/** The log must be the one that the checkpoint was made on: same cluster, same topic, same last record. */
async function sameLog(log: FeedbackLog, assignment: Assignment, checkpoint: Snapshot): Promise<void> {
  const clusterId = await log.clusterId()
  if (checkpoint.clusterId !== clusterId || checkpoint.topic !== log.topic)
    throw new BcodError(
      'CLUSTER_CHANGED',
      `the checkpoint was made on topic ${checkpoint.topic} of cluster ${checkpoint.clusterId}, this is ${log.topic} of ${clusterId}`,
      { place: log.topic },
    )
  for (const partition of assignment.partitions) {
    const last = checkpoint.lastRecords[partition]
    const bounds = assignment.bounds.get(partition)
    if (!last || !bounds || last.offset < bounds.start || last.offset >= bounds.end) continue
    const record = await log.recordAt(partition, last.offset)
    if (record && recordSha256(record) !== last.sha256)
      throw new BcodError('TOPIC_RECREATED', `the record at offset ${last.offset} is not the one that was read`, {
        place: `${log.topic}-${partition}`,
      })
  }
}
