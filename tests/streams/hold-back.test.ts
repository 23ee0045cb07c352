import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Feedback } from '../../src/events/types.js'
import type { BoundedMapState } from '../../src/streams/collections/bounded-map.js'
import { HoldBack, type HoldBackState, holdBack } from '../../src/streams/hold-back.js'
import { VoteLedger } from '../../src/streams/vote-ledger.js'
import { dropLog, vote } from './events.js'
import { marbles } from './marbles.js'

function holding(window: number, maxBytes?: number, bySubject = false) {
  const { drop, dropped } = dropLog()
  const ledger = new VoteLedger(1_000)
  const state = new HoldBack({ window, ledger, drop, bySubject, ...(maxBytes === undefined ? {} : { maxBytes }) })
  return { state, ledger, dropped }
}

/** Offsets of what goes on at this watermark. */
function released(state: HoldBack, watermark: number): number[] {
  const offsets: number[] = []
  for (let event = state.next(watermark); event; event = state.next(watermark)) offsets.push(event.position.offset)
  return offsets
}

const up = (offset: number, change: Partial<Feedback> = {}) => vote(offset, { subject: 'c', label: true, ...change })
const down = (offset: number, change: Partial<Feedback> = {}) => vote(offset, { subject: 'c', label: false, ...change })
const taken = (offset: number, change: Partial<Feedback> = {}) => vote(offset, { subject: 'c', label: null, ...change })

test('a tick lets out the votes whose window has passed', () => {
  marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
    const { state } = holding(10)
    const values = { a: vote(0), b: vote(4) }
    const source = cold('   a--b-------------|', values)
    const tick = hot<number>('------m---n---o----', { m: 9, n: 10, o: 14 })
    const subs = '          ^----------------!'
    const expected = '      ----------a---b--|'
    let mark = 0
    tick.subscribe((value) => {
      mark = value
    })
    expectObservable(source.pipe(holdBack(state, () => mark, tick))).toBe(expected, values)
    expectSubscriptions(source.subscriptions).toBe(subs)
    expectSubscriptions(tick.subscriptions).toBe(['^', subs])
  })
})

test('with a window of 0 votes pass at once', () => {
  marbles(({ cold, expectObservable }) => {
    const { state } = holding(0)
    const values = { a: vote(0), b: vote(1) }
    expectObservable(cold('-a-b-|', values).pipe(holdBack(state, () => 0, cold('-')))).toBe('-a-b-|', values)
  })
})

test('completion leaves held votes in the state', () => {
  marbles(({ cold, expectObservable, flush }) => {
    const { state } = holding(10)
    expectObservable(cold('-a-|', { a: vote(0) }).pipe(holdBack(state, () => 0, cold('-')))).toBe('---|')
    flush()
    expect(state.heldCount).toBe(1)
  })
})

test('a consumer that has had enough leaves the rest in the state', () => {
  marbles(({ hot, cold, flush }) => {
    const { state } = holding(10)
    for (const offset of [1, 2, 3]) state.push(vote(offset))
    const seen: number[] = []
    const subscription = cold<Feedback>('-')
      .pipe(holdBack(state, () => 100, hot('--t')))
      .subscribe((event) => {
        seen.push(event.position.offset)
        if (seen.length === 2) subscription.unsubscribe()
      })
    flush()
    expect(seen).toEqual([1, 2])
    expect(state.heldCount).toBe(1)
  })
})

test('while a vote is held the latest label wins and its window starts again', () => {
  const { state, dropped } = holding(10)
  state.push(up(1))
  state.push(down(5))
  expect(dropped).toEqual(['1 superseded'])
  expect(released(state, 14)).toEqual([])
  expect(released(state, 15)).toEqual([5])
})

test('the same label while held is a repeat and leaves the first where it is', () => {
  const { state, dropped } = holding(10)
  state.push(up(1))
  state.push(up(5))
  expect(dropped).toEqual(['5 repeat'])
  expect(released(state, 11)).toEqual([1])
})

test('null drops what is held', () => {
  const { state, dropped } = holding(10)
  state.push(up(1))
  state.push(taken(2))
  expect(dropped).toEqual(['1 retracted', '2 retraction'])
  expect(released(state, 100)).toEqual([])
  expect(state.heldBytes).toBe(0)
})

test('after training another label is a new event, the same one a repeat', () => {
  for (const window of [0, 10]) {
    const { state, dropped } = holding(window)
    const passed: number[] = []
    for (const event of [up(1), up(20), down(40), down(60), up(80)]) {
      const through = state.push(event)
      if (through) passed.push(through.position.offset)
      passed.push(...released(state, event.timestamp + 10))
    }
    expect(passed).toEqual([1, 40])
    expect(dropped).toEqual(['20 repeat', '60 repeat', '80 repeat'])
  }
})

test('a vote changed and changed back within the window trains nothing', () => {
  const { state, dropped } = holding(10)
  state.push(up(1))
  released(state, 11)
  state.push(down(20))
  state.push(up(21))
  expect(dropped).toEqual(['20 superseded', '21 repeat'])
  expect(state.heldCount).toBe(0)
})

test('whatever a voter sends on a completion, it trains once up and once down at most', () => {
  const labels = fc.array(fc.constantFrom(true, false, null), { maxLength: 40 })
  fc.assert(
    fc.property(labels, fc.constantFrom(0, 10), fc.integer({ min: 1, max: 30 }), (sent, window, apart) => {
      const { state, ledger } = holding(window)
      const passed: (boolean | null)[] = []
      const release = (now: number) => {
        for (let event = state.next(now); event; event = state.next(now)) passed.push(event.label)
      }
      sent.forEach((label, i) => {
        const through = state.push(vote(i, { subject: 'c', label, timestamp: i * apart }))
        if (through) passed.push(through.label)
        release(i * apart)
        ledger.restore(decode(encode(ledger.snapshot())) as BoundedMapState)
      })
      release(Number.POSITIVE_INFINITY)
      expect(passed.length).toBe(new Set(passed).size)
      expect(passed).not.toContain(null)
    }),
  )
})

test('a vote taken back after training and given again is a repeat', () => {
  const { state, dropped } = holding(0)
  expect(state.push(up(1))).not.toBeNull()
  expect(state.push(taken(2))).toBeNull()
  expect(state.push(up(3))).toBeNull()
  expect(dropped).toEqual(['2 retraction', '3 repeat'])
})

test("a source neither changes, takes back nor pre-empts another's vote", () => {
  for (const window of [0, 10]) {
    const { state, dropped } = holding(window)
    const other = { source: 'survey' }
    const passed: string[] = []
    for (const event of [up(1), down(2, other), taken(3, other), up(4, other), up(5)]) {
      const through = state.push(event)
      if (through) passed.push(`${through.source} ${through.label}`)
    }
    for (let event = state.next(100); event; event = state.next(100)) passed.push(`${event.source} ${event.label}`)
    expect(passed.filter((line) => line.startsWith('chat'))).toEqual(['chat true'])
    expect(passed).toContain('survey true')
    expect(dropped).toContain('5 repeat')
  }
})

test('users vote apart, and without a user there is one voter for a completion', () => {
  const { state, dropped } = holding(10)
  state.push(up(1, { user: 'a' }))
  state.push(down(2, { user: 'b' }))
  state.push(up(3, { user: null }))
  state.push(down(4, { user: null }))
  expect(dropped).toEqual(['3 superseded'])
  expect(released(state, 100)).toEqual([1, 2, 4])
})

test('votes without a subject pass at once, each for itself', () => {
  const { state, dropped } = holding(10)
  const bare = { subject: null, user: null }
  for (const offset of [1, 2]) expect(state.push(up(offset, bare))?.position.offset).toBe(offset)
  expect(state.push(taken(3, bare))).toBeNull()
  expect(dropped).toEqual(['3 retraction'])
})

test('votes go on by timestamp, then partition, then offset', () => {
  const { state } = holding(10)
  const at = (partition: number, offset: number, timestamp: number) =>
    vote(offset, { partition, timestamp, subject: `${partition}/${offset}` })
  for (const event of [at(1, 4, 5), at(0, 9, 5), at(0, 8, 5), at(2, 1, 4)]) state.push(event)
  const order = []
  for (let event = state.next(15); event; event = state.next(15)) order.push(event.position)
  expect(order.map(({ partition, offset }) => [partition, offset])).toEqual([
    [2, 1],
    [0, 8],
    [0, 9],
    [1, 4],
  ])
})

test('what is above the bound of memory goes on before its time, oldest first, and is counted', () => {
  marbles(({ cold, expectObservable, flush }) => {
    const { state } = holding(1_000, 1_500)
    const values = { a: vote(0), b: vote(1), c: vote(2), d: vote(3) }
    expectObservable(cold('abcd|', values).pipe(holdBack(state, () => 0, cold('-')))).toBe('--ab|', values)
    flush()
    expect(state.releasedEarly).toBe(2)
    expect(state.heldBytes).toBeLessThanOrEqual(1_500)
  })
})

test('every vote ends once: it goes on, is dropped, or is still held; a restore changes nothing of it', () => {
  const step = fc.record({
    subject: fc.constantFrom('c1', 'c2', 'c3'),
    user: fc.constantFrom('a', null),
    label: fc.constantFrom(true, false, null),
    advance: fc.integer({ min: 0, max: 8 }),
    restore: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.constantFrom(0, 10), (steps, window) => {
      const plain = run(steps, window, false)
      const restored = run(steps, window, true)
      expect(restored).toEqual(plain)
      const ends = [...plain.passed, ...plain.dropped.map((line) => Number.parseInt(line, 10)), ...plain.held]
      expect(ends.sort((a, b) => a - b)).toEqual(steps.map((_, i) => i))
    }),
  )

  function run(
    steps: readonly {
      subject: string
      user: string | null
      label: boolean | null
      advance: number
      restore: boolean
    }[],
    window: number,
    withRestore: boolean,
  ) {
    let { state, ledger, dropped } = holding(window)
    const passed: number[] = []
    let now = 0
    steps.forEach(({ subject, user, label, advance, restore }, i) => {
      now += advance
      const through = state.push(vote(i, { subject, user, label, timestamp: now }))
      if (through) passed.push(i)
      passed.push(...released(state, now))
      if (!restore || !withRestore) return
      const saved = decode(encode([state.snapshot(), ledger.snapshot()])) as [HoldBackState, BoundedMapState]
      const before = dropped
      ;({ state, ledger, dropped } = holding(window))
      dropped.push(...before)
      state.restore(saved[0])
      ledger.restore(saved[1])
    })
    return { passed, dropped, held: state.snapshot().held.map(({ position }) => position.offset) }
  }
})

test("a tombstone takes back every user's held vote on its subject, and no other", () => {
  const { state, ledger, dropped } = holding(10, undefined, true)
  const everyone = (offset: number) => taken(offset, { user: null, ofAllUsers: true })
  for (const event of [up(0), down(1, { user: 'v' }), up(2, { user: null }), up(3, { subject: 'd' })]) state.push(event)
  const copy = holding(10, undefined, true).state
  copy.restore(state.snapshot())
  for (const each of [state, copy]) {
    expect(each.push(everyone(4))).toBeNull()
    expect(released(each, 100)).toEqual([3])
    expect(each.heldBytes).toBe(0)
  }
  expect(dropped).toEqual(['0 retracted', '1 retracted', '2 retracted', '4 retraction'])
  ledger.remember(up(5), true)
  state.push(everyone(6))
  expect(ledger.has(up(7), true)).toBe(true)
})

test('held votes that shall not go on after all are dropped with their reason', () => {
  const { state, dropped } = holding(10)
  for (const event of [up(0, { source: 'foreign' }), up(1, { subject: 'd' })]) state.push(event)
  state.dropWhere(({ source }) => source === 'foreign', 'source_refused')
  expect(dropped).toEqual(['0 source_refused'])
  expect(state.heldCount).toBe(1)
  expect(released(state, 100)).toEqual([1])
  expect(state.heldBytes).toBe(0)
})
