import { describe, expect, it } from 'vitest'
import { AdapterPublished, CheckpointWritten } from '../../../src/telemetry/events/storage.js'
import { capture } from '../capture.js'

describe('a checkpoint', () => {
  it('tells when it was complete, how long it took and what space is left', async () => {
    const { telemetry, sample } = capture()
    const before = Date.now() / 1000
    telemetry.emit(new CheckpointWritten(12, 80, 5e9))
    expect(await sample('bcod_checkpoint_last_success_timestamp_seconds')).toBeGreaterThanOrEqual(Math.floor(before))
    expect(await sample('bcod_checkpoint_duration_seconds_sum')).toBe(0.08)
    expect(await sample('bcod_checkpoint_free_bytes')).toBe(5e9)
  })
})

describe('publishing', () => {
  it('moves the live version only when an adapter was published', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new AdapterPublished(3, 'published', [40, 50]))
    telemetry.emit(new AdapterPublished(4, 'rejected'))
    expect(await sample('bcod_adapter_version')).toBe(3)
    expect(await sample('bcod_adapter_publish_total{outcome="published"}')).toBe(1)
    expect(await sample('bcod_adapter_publish_total{outcome="rejected"}')).toBe(1)
    expect(await sample('bcod_feedback_to_publish_seconds_sum')).toBe(90)
    expect(lines.map(({ level }) => level)).toEqual(['info', 'warn'])
  })
})
