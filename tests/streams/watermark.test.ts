import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Watermark } from '../../src/streams/watermark.js'

const UNKNOWN = Number.NEGATIVE_INFINITY

/** Reads the partition from `from` to `to`, where the log ends at `end` now. */
function fetch(watermark: Watermark, partition: number, to: number, end: number, now: number): void {
  watermark.read(partition, to)
  watermark.ended(partition, end, now)
}

describe('the watermark', () => {
  test('is the wall clock where every partition is read to its end, and nothing is known before', () => {
    const watermark = new Watermark()
    expect(watermark.at(1_000)).toBe(UNKNOWN)
    watermark.assign([0, 1])
    fetch(watermark, 0, 5, 5, 100)
    expect(watermark.at(1_000)).toBe(UNKNOWN)
    fetch(watermark, 1, 7, 7, 200)
    expect(watermark.at(1_000)).toBe(1_000)
  })

  test('within a backlog is the latest time at which the log ended where reading is now', () => {
    const watermark = new Watermark()
    watermark.assign([0])
    fetch(watermark, 0, 10, 100, 1_000)
    fetch(watermark, 0, 20, 150, 2_000)
    fetch(watermark, 0, 99, 200, 3_000)
    expect(watermark.at(9_000)).toBe(UNKNOWN)
    watermark.read(0, 100)
    expect(watermark.at(9_000)).toBe(1_000)
    watermark.read(0, 180)
    expect(watermark.at(9_000)).toBe(2_000)
    fetch(watermark, 0, 200, 200, 4_000)
    expect(watermark.at(9_000)).toBe(9_000)
  })

  test('is of the lowest partition', () => {
    const watermark = new Watermark()
    watermark.assign([0, 1])
    fetch(watermark, 0, 3, 3, 1_000)
    fetch(watermark, 1, 0, 8, 1_500)
    fetch(watermark, 1, 8, 9, 2_000)
    expect(watermark.at(5_000)).toBe(1_500)
  })

  test('takes no notice of the times of producers', () => {
    const watermark = new Watermark()
    watermark.assign([0])
    fetch(watermark, 0, 0, 100, 1_000)
    watermark.observe(0, 50_000_000)
    expect(watermark.at(2_000)).toBe(UNKNOWN)
  })

  test('goes by the times of the broker within a backlog, though never past the clock', () => {
    const watermark = new Watermark()
    watermark.assign([0])
    fetch(watermark, 0, 0, 100, 1_000)
    watermark.observe(0, 500, true)
    expect(watermark.at(2_000)).toBe(500)
    watermark.observe(0, 400, true)
    expect(watermark.at(2_000)).toBe(500)
    watermark.observe(0, 5_000, true)
    expect(watermark.at(2_000)).toBe(2_000)
  })

  test('stands still soon after nothing tells any more where the log ends: frozen, or cut off', () => {
    const watermark = new Watermark()
    watermark.assign([0, 1])
    fetch(watermark, 0, 5, 5, 1_000)
    fetch(watermark, 1, 5, 5, 3_000)
    expect(watermark.at(5_900)).toBe(5_900)
    expect(watermark.at(600_000)).toBe(6_000)
    watermark.ended(0, 5, 600_000)
    expect(watermark.at(600_000)).toBe(8_000)
    watermark.ended(1, 6, 600_000)
    expect(watermark.at(600_000)).toBe(3_000)
  })

  test('stands still while fetching is paused, until the end is looked up again', () => {
    const watermark = new Watermark()
    watermark.assign([0])
    fetch(watermark, 0, 5, 5, 100)
    watermark.paused()
    expect(watermark.at(1_000)).toBe(100)
    watermark.ended(0, 5, 900)
    expect(watermark.at(1_000)).toBe(1_000)
    watermark.ended(0, 6, 1_100)
    expect(watermark.at(1_200)).toBe(900)
  })

  test('stands still without partitions, and keeps what it knows of those that come back', () => {
    const watermark = new Watermark()
    watermark.assign([0, 1])
    fetch(watermark, 0, 5, 5, 50)
    fetch(watermark, 1, 5, 5, 60)
    watermark.assign([])
    expect(watermark.at(1_000)).toBe(UNKNOWN)
    watermark.assign([1])
    expect(watermark.at(1_000)).toBe(60)
  })

  test('after a restart no outage counts until the backlog is read', () => {
    const watermark = new Watermark()
    watermark.assign([0, 1])
    fetch(watermark, 0, 5, 5, 50)
    fetch(watermark, 1, 5, 9, 60)
    const restored = new Watermark()
    restored.restore(JSON.parse(JSON.stringify(watermark.snapshot())))
    restored.assign([0, 1])
    restored.ended(0, 80, 100_000)
    restored.ended(1, 90, 100_000)
    expect(restored.at(100_000)).toBe(UNKNOWN)
    restored.read(1, 9)
    expect(restored.at(100_000)).toBe(50)
    restored.read(0, 80)
    expect(restored.at(100_000)).toBe(60)
    restored.read(1, 90)
    expect(restored.at(200_000)).toBe(100_000)
  })

  test('a state of an older version, which held the times of producers, says nothing', () => {
    const watermark = new Watermark()
    watermark.restore({ timestamps: [[0, 99_999_999]] } as never)
    watermark.assign([0])
    expect(watermark.at(1_000)).toBe(UNKNOWN)
  })

  test('never says that something was read that was not: a log of known times, read in any pace', () => {
    const pace = fc.array(fc.record({ written: fc.nat(50), read: fc.nat(60), waits: fc.nat(1_000) }), {
      maxLength: 300,
    })
    fc.assert(
      fc.property(pace, (moves) => {
        const watermark = new Watermark()
        watermark.assign([0])
        const writtenAt: number[] = []
        let [now, next] = [0, 0]
        for (const { written, read, waits } of moves) {
          now += waits
          for (let i = 0; i < written; i++) writtenAt.push(now)
          now += 1
          next = Math.min(writtenAt.length, next + read)
          fetch(watermark, 0, next, writtenAt.length, now)
          const unread = writtenAt[next] ?? Number.POSITIVE_INFINITY
          expect(watermark.at(now)).toBeLessThanOrEqual(unread === Number.POSITIVE_INFINITY ? now : unread + 1)
          if (next === writtenAt.length) expect(watermark.at(now)).toBe(now)
        }
        expect(JSON.stringify(watermark.snapshot()).length).toBeLessThan(4_000)
      }),
    )
  })
})

describe('the time that a record counts as written at', () => {
  /** Read to offset 10, where the log ended at 1,000. */
  const live = () => {
    const watermark = new Watermark()
    watermark.assign([0])
    fetch(watermark, 0, 10, 10, 1_000)
    return watermark
  }

  test.each([
    ['its own, where that may be', 1_500, 1_500],
    ['the clock, where it is ahead', 9_000_000, 2_000],
    ['the clock, where it is in microseconds', 1_500_000, 2_000],
    ['the clock, where it has none', -1, 2_000],
    ['the clock, where it is no number', Number.NaN, 2_000],
    ['the time to which the log had been read, where it is back', 3, 1_000],
  ])('%s', (_, timestamp, expected) => {
    expect(live().timeOf(0, 10, timestamp, 2_000)).toBe(expected)
  })

  test('an old record of a backlog keeps its age as far as nothing is known against it', () => {
    const watermark = new Watermark()
    watermark.assign([0])
    watermark.ended(0, 100, 5_000)
    expect(watermark.timeOf(0, 99, 7, 6_000)).toBe(7)
    // the log ended before it at 5,000
    expect(watermark.timeOf(0, 100, 7, 6_000)).toBe(5_000)
  })
})
