import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type Headroom, type PendingOffset, retentionHeadroom$ } from '../../../src/daemon/stream/retention.js'
import type { LogRecord } from '../../../src/events/types.js'
import { ManualScheduler } from '../../support/manual-scheduler.js'

const NOW = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000

/** Looks at a log whose records were written at these times, by partition and offset. */
function looking(retentionMs: () => number | null, times: Readonly<Record<string, number>>, pending: PendingOffset[]) {
  const scheduler = new ManualScheduler(NOW)
  const log = {
    retentionMs: async () => retentionMs(),
    async recordAt(partition: number, offset: number): Promise<LogRecord | null> {
      const timestamp = times[`${partition}-${offset}`]
      if (timestamp === undefined) return null
      return { topic: 'feedback', partition, offset, timestamp, key: null, value: null, headers: {} }
    },
  }
  const found: Headroom[] = []
  const times$ = { firstMs: 5_000, everyMs: 30_000, scheduler }
  const looks = retentionHeadroom$(log, () => pending, times$).subscribe((headroom) => found.push(headroom))
  onTestFinished(() => looks.unsubscribe())
  const advance = async (milliseconds: number) => {
    scheduler.advance(milliseconds)
    await sleep(1)
  }
  return { found, advance }
}

const at = (partition: number, offset: number, logEnd = 100): PendingOffset => ({ partition, offset, logEnd })

test('headroom is what is left to the oldest record that a restart needs, over all partitions', async () => {
  const times = { '0-7': NOW - HOUR / 4, '1-3': NOW - HOUR / 2 }
  const { found, advance } = looking(() => HOUR, times, [at(0, 7), at(1, 3)])
  await advance(4_999)
  expect(found).toEqual([])
  await advance(1)
  expect(found).toEqual([{ seconds: 1800 - 5, retentionSeconds: 3600 }])
  await advance(30_000)
  expect(found.at(-1)).toEqual({ seconds: 1800 - 35, retentionSeconds: 3600 })
})

test('it is negative if the record may be gone already', async () => {
  const { found, advance } = looking(() => HOUR, { '0-7': NOW - 2 * HOUR }, [at(0, 7)])
  await advance(5_000)
  expect(found[0]?.seconds).toBe(-3605)
})

test.each([
  ['nothing is pending', [at(0, 100)]],
  ['no record is at the position', [at(0, 8)]],
  ['the record has no time', [at(0, 9)]],
])('it is the whole retention if %s', async (_, pending) => {
  const { found, advance } = looking(() => HOUR, { '0-9': -1 }, pending)
  await advance(5_000)
  expect(found).toEqual([{ seconds: 3600, retentionSeconds: 3600 }])
})

test('a log that keeps its records for ever, and one that cannot be asked, report nothing; the next look asks again', async () => {
  const answers: (() => number | null)[] = [
    () => null,
    () => {
      throw new Error('no broker')
    },
    () => HOUR,
  ]
  const { found, advance } = looking(() => (answers.shift() ?? (() => null))(), { '0-7': NOW }, [at(0, 7)])
  await advance(5_000)
  await advance(30_000)
  expect(found).toEqual([])
  await advance(30_000)
  expect(found).toEqual([{ seconds: 3600 - 65, retentionSeconds: 3600 }])
})

test('before partitions are assigned there is nothing to report', async () => {
  const { found, advance } = looking(() => HOUR, {}, [])
  await advance(5_000)
  expect(found).toEqual([])
})
