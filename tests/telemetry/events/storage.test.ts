import { describe, expect, it } from 'vitest'
import type { Move } from '../../../src/adapters/moves/move.js'
import {
  AdapterPublished,
  AliasesMoved,
  CheckpointWritten,
  RegistryObserved,
} from '../../../src/telemetry/events/storage.js'
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
    telemetry.emit(new AdapterPublished(5, 'held'))
    expect(await sample('bcod_adapter_version')).toBe(3)
    expect(await sample('bcod_adapter_publish_total{outcome="held"}')).toBe(1)
    expect(lines.map(({ level }) => level)).toEqual(['info', 'warn', 'info'])
  })
})

describe('the registry', () => {
  const move: Move = {
    ...{ generation: 7, time: '2026-01-02T03:04:05Z', by: 'cli', cause: 'rolled back', salt: '' },
    aliases: { candidate: null, canary: null, live: 'v00000002', previous: 'v00000001' },
    ...{ pinned: null, frozen: true },
    states: { v00000001: 'retired', v00000002: 'live', v00000003: 'rolled_back', v00000004: 'rolled_back' },
  }

  it('counts rollbacks and tells who moved what; a rollback is a warning', async () => {
    const { telemetry, lines, sample } = capture()
    expect(await sample('bcod_rollbacks_total{cause="operator"}')).toBe(0)
    telemetry.emit(new AliasesMoved(move))
    telemetry.emit(new AliasesMoved({ ...move, cause: 'resumed', frozen: false }))
    expect(await sample('bcod_rollbacks_total{cause="operator"}')).toBe(1)
    expect(lines).toMatchObject([
      { level: 'warn', by: 'cli', generation: 7, live: 'v00000002', previous: 'v00000001', frozen: true },
      { level: 'info', by: 'cli', frozen: false },
    ])
  })

  it('has its versions counted by state, none as 0, and the number of the live one', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new RegistryObserved(move))
    expect(await sample('bcod_adapter_state{state="rolled_back"}')).toBe(2)
    expect(await sample('bcod_adapter_state{state="live"}')).toBe(1)
    expect(await sample('bcod_adapter_state{state="refused"}')).toBe(0)
    expect(await sample('bcod_adapter_version')).toBe(2)
  })
})
