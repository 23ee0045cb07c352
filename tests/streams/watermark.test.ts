import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Watermark } from '../../src/streams/watermark.js'

const UNKNOWN = Number.NEGATIVE_INFINITY

/** Reads the partition from `from` to `to`, where the log ends at `end` now. */
function fetch(watermark: Watermark, partition: number, to: number, end: number, now: number): void {
  watermark.read(partition, to)
  watermark.ended(partition, end, now)
}

type Move =
  | readonly ['fetch', partition: number, to: number, end: number, now: number]
  | readonly ['read', partition: number, to: number]
  | readonly ['ended', partition: number, end: number, now: number]
  | readonly ['timestamp', partition: number, timestamp: number, by: 'producer' | 'broker']
  | readonly ['paused']
  | readonly ['is', expected: number, at: number]

function move(watermark: Watermark, [what, ...is]: Move): void {
  const [first = 0, second = 0, third = 0, fourth = 0] = is.map(Number)
  if (what === 'fetch') fetch(watermark, first, second, third, fourth)
  else if (what === 'read') watermark.read(first, second)
  else if (what === 'ended') watermark.ended(first, second, third)
  else if (what === 'timestamp') watermark.observe(first, second, is[2] === 'broker')
  else if (what === 'paused') watermark.paused()
  else expect(watermark.at(second), `at ${second}`).toBe(first)
}

describe('the watermark', () => {
  test.each<readonly [behaviour: string, partitions: readonly number[], moves: readonly Move[]]>([
    ['is unknown before anything is read', [0], [['is', UNKNOWN, 1_000]]],
    [
      'is the wall clock once every partition is read to its end',
      [0, 1],
      [
        ['fetch', 0, 5, 5, 100],
        ['is', UNKNOWN, 1_000],
        ['fetch', 1, 7, 7, 200],
        ['is', 1_000, 1_000],
      ],
    ],
    [
      'within a backlog is the latest time at which the log ended where reading is now',
      [0],
      [
        ['fetch', 0, 10, 100, 1_000],
        ['fetch', 0, 20, 150, 2_000],
        ['fetch', 0, 99, 200, 3_000],
        ['is', UNKNOWN, 9_000],
        ['read', 0, 100],
        ['is', 1_000, 9_000],
        ['read', 0, 180],
        ['is', 2_000, 9_000],
        ['fetch', 0, 200, 200, 4_000],
        ['is', 9_000, 9_000],
      ],
    ],
    [
      'is that of the lowest partition',
      [0, 1],
      [
        ['fetch', 0, 3, 3, 1_000],
        ['fetch', 1, 0, 8, 1_500],
        ['fetch', 1, 8, 9, 2_000],
        ['is', 1_500, 5_000],
      ],
    ],
    [
      "ignores producers' timestamps",
      [0],
      [
        ['fetch', 0, 0, 100, 1_000],
        ['timestamp', 0, 50_000_000, 'producer'],
        ['is', UNKNOWN, 2_000],
      ],
    ],
    [
      "follows the broker's timestamps within a backlog, but never past the clock",
      [0],
      [
        ['fetch', 0, 0, 100, 1_000],
        ['timestamp', 0, 500, 'broker'],
        ['is', 500, 2_000],
        ['timestamp', 0, 400, 'broker'],
        ['is', 500, 2_000],
        ['timestamp', 0, 5_000, 'broker'],
        ['is', 2_000, 2_000],
      ],
    ],
    [
      'stops 5 s after the end of the log was last seen: the process was frozen, or no broker answers',
      [0, 1],
      [
        ['fetch', 0, 5, 5, 1_000],
        ['fetch', 1, 5, 5, 3_000],
        ['is', 5_900, 5_900],
        ['is', 6_000, 600_000],
        ['ended', 0, 5, 600_000],
        ['is', 8_000, 600_000],
        ['ended', 1, 6, 600_000],
        ['is', 3_000, 600_000],
      ],
    ],
    [
      'stops while fetching is paused, until the end is looked up again',
      [0],
      [
        ['fetch', 0, 5, 5, 100],
        ['paused'],
        ['is', 100, 1_000],
        ['ended', 0, 5, 900],
        ['is', 1_000, 1_000],
        ['ended', 0, 6, 1_100],
        ['is', 900, 1_200],
      ],
    ],
  ])('%s', (_, partitions, moves) => {
    const watermark = new Watermark()
    watermark.assign(partitions)
    for (const each of moves) move(watermark, each)
  })

  test('is unknown while no partition is assigned', () => {
    expect(new Watermark().at(1_000)).toBe(UNKNOWN)
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
