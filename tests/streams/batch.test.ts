import { BehaviorSubject, from, asyncScheduler as scheduler, tap } from 'rxjs'
import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../src/events/types.js'
import { batch } from '../../src/streams/batch.js'
import { Batcher } from '../../src/streams/batcher.js'
import { trainingEvent } from './events.js'
import { marbles } from './marbles.js'

const event = (offset: number) => trainingEvent(offset, offset % 2 === 0)
const values = { a: event(0), b: event(1), c: event(2), d: event(3), e: event(4) }
const { a, b, c, d, e } = values
const batcherOf = (size: number, maxLatency = 0) => new Batcher({ size, maxLatency, stratify: false, lookAhead: 0 })

test('a free consumer gets a batch as soon as it is full', () => {
  marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
    const source = cold('-a-b-c-d-|', values)
    const free = hot('   f---f-----')
    const subs = '       ^--------!'
    const expected = '   ---x---y-|'
    const batches = source.pipe(batch(batcherOf(2), { scheduler, demand$: free }))
    expectObservable(batches).toBe(expected, { x: [a, b], y: [c, d] })
    expectSubscriptions(source.subscriptions).toBe(subs)
    expectSubscriptions(free.subscriptions).toBe(subs)
  })
})

test('a busy consumer finds the batches waiting', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const source = cold('abcd------|', values)
    const free = hot('   ------f--f-')
    const expected = '   ------x--y|'
    const batches = source.pipe(batch(batcherOf(2), { scheduler, demand$: free }))
    expectObservable(batches).toBe(expected, { x: [a, b], y: [c, d] })
  })
})

test('a smaller batch goes out when its oldest event has waited for the latency', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const source = cold('-a-b--------c-', values)
    const free = hot('   f------f------')
    const expected = '   ------x----------y'
    const batches = source.pipe(batch(batcherOf(4, 5), { scheduler, demand$: free }))
    expectObservable(batches, '^-----------------!').toBe(expected, { x: [a, b], y: [c] })
  })
})

test('without a latency only a flush sends out what is not full', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const source = cold('-a-b-c---d-', values)
    const free = hot('   f---f----f-')
    const flush = hot('  -------f---')
    const expected = '   ---x---y---'
    const batches = source.pipe(batch(batcherOf(2), { scheduler, demand$: free, flush$: flush }))
    expectObservable(batches).toBe(expected, { x: [a, b], y: [c] })
  })
})

test('while it is paused nothing goes out, neither full batches nor late ones; what was asked for follows', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const source = cold(' abc--d--------e-', values)
    const free = hot('    f-f-----------f-')
    const paused = hot('  -t-------f------', { t: true, f: false })
    const expected = '    ---------x----y'
    const batches = source.pipe(batch(batcherOf(2, 4), { scheduler, demand$: free, paused$: paused }))
    expectObservable(batches, '^---------------!').toBe(expected, { x: [a, b], y: [c, d] })
  })
})

test('after the source completes the rest follows as it is asked for, the last batch smaller', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const source = cold('abcde|', values)
    const free = hot('   -------f-f-f-')
    const expected = '   -------x-y-(z|)'
    const batches = source.pipe(batch(batcherOf(2), { scheduler, demand$: free }))
    expectObservable(batches).toBe(expected, { x: [a, b], y: [c, d], z: [e] })
  })
})

test('starts with the events that a restored batcher holds', () => {
  marbles(({ cold, hot, expectObservable }) => {
    const batcher = batcherOf(2)
    batcher.restore({ events: [a, b], arrivals: [0, 0] })
    const batches = cold<TrainingEvent>('-').pipe(batch(batcher, { scheduler, demand$: hot('-f') }))
    expectObservable(batches).toBe('-x', { x: [a, b] })
  })
})

test('passes an error on', () => {
  marbles(({ cold, hot, expectObservable }) => {
    expectObservable(cold<TrainingEvent>('-#').pipe(batch(batcherOf(2), { scheduler, demand$: hot('f') }))).toBe('-#')
  })
})

test('a consumer that asks again at once gets through any number of batches', () => {
  const demand$ = new BehaviorSubject<void>(undefined)
  const events = Array.from({ length: 20_000 }, (_, offset) => trainingEvent(offset, true))
  const sizes: number[] = []
  const batcher = batcherOf(2)
  batcher.restore({ events, arrivals: events.map(() => 0) })
  from([])
    .pipe(
      batch(batcher, { scheduler, demand$ }),
      tap(() => demand$.next()),
    )
    .subscribe((taken) => sizes.push(taken.length))
  expect(sizes).toHaveLength(10_000)
})
