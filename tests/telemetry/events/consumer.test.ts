import { describe, expect, it } from 'vitest'
import {
  AssignmentChanged,
  LagObserved,
  OffsetsCommitted,
  RetentionHeadroom,
} from '../../../src/telemetry/events/consumer.js'
import { capture } from '../capture.js'

describe('the consumer', () => {
  it('tells the lag of the partitions that it has, and of no others', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new AssignmentChanged('votes', [0, 1], 3))
    telemetry.emit(new LagObserved(0, 5))
    telemetry.emit(new LagObserved(1, 6))
    telemetry.emit(new AssignmentChanged('votes', [1], 3))
    telemetry.emit(new LagObserved(1, 7))
    expect(await sample('bcod_consumer_lag_records{partition="0"}')).toBeNull()
    expect(await sample('bcod_consumer_lag_records{partition="1"}')).toBe(7)
    expect(await sample('bcod_assigned_partitions')).toBe(1)
  })

  it('counts commits and warns where a fifth of the retention time is left', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new OffsetsCommitted('votes', new Map([[0, 12]])))
    telemetry.emit(new RetentionHeadroom(86_400, 86_400))
    telemetry.emit(new RetentionHeadroom(600, 86_400))
    expect(await sample('bcod_offset_commits_total')).toBe(1)
    expect(await sample('bcod_retention_headroom_seconds')).toBe(600)
    expect(lines.map(({ event, level }) => `${event} ${level}`)).toEqual([
      'OffsetsCommitted debug',
      'RetentionHeadroom warn',
    ])
    expect(lines[0]?.offsets).toEqual({ 0: 12 })
  })
})
