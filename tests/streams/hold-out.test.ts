import fc from 'fast-check'
import { from } from 'rxjs'
import { expect, test } from 'vitest'
import type { Feedback } from '../../src/events/types.js'
import { holdOut } from '../../src/streams/hold-out.js'
import { vote } from './events.js'
import { marbles } from './marbles.js'

function heldOutOf(votes: readonly Feedback[], share: number, seed: number): Set<string> {
  const out = new Set<string>()
  from(votes)
    .pipe(holdOut(share, seed, (event) => out.add(event.subject ?? event.id)))
    .subscribe()
  return out
}

const votes = Array.from({ length: 2_000 }, (_, offset) => vote(offset))

test('holds nothing out at a share of 0 and everything at 1', () => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const out: number[] = []
    const note = (event: Feedback) => out.push(event.position.offset)
    const values = { a: vote(1), b: vote(2) }
    const source = cold('-a-b-|', values)
    expectObservable(source.pipe(holdOut(0, 1, note))).toBe('-a-b-|', values)
    expectObservable(source.pipe(holdOut(1, 1, note))).toBe('-----|')
    expectSubscriptions(source.subscriptions).toBe(['^----!', '^----!'])
    flush()
    expect(out).toEqual([1, 2])
  })
})

test('holds out its share, the same on every run', () => {
  const out = heldOutOf(votes, 0.2, 3)
  // Binomial(2000, 0.2): five standard deviations are 89.
  expect(Math.abs(out.size - 400)).toBeLessThan(89)
  expect(heldOutOf([...votes].reverse(), 0.2, 3)).toEqual(out)
  expect(heldOutOf(votes, 0.2, 4)).not.toEqual(out)
})

test('all votes on one completion share its fate, and bare rows go by their id', () => {
  const changed = votes.slice(0, 50).flatMap((event) => [event, { ...event, id: `again ${event.id}`, user: 'other' }])
  const passed: string[] = []
  from(changed)
    .pipe(holdOut(0.5, 1, () => {}))
    .subscribe((kept) => passed.push(kept.subject!))
  for (const subject of passed) expect(passed.filter((other) => other === subject)).toHaveLength(2)
  expect(heldOutOf([vote(1, { subject: null, id: 'row' })], 1, 1)).toEqual(new Set(['row']))
})

test('a larger share takes in what a smaller one does', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.5, noNaN: true }), fc.integer(), (share, seed) => {
      const few = votes.slice(0, 60)
      const larger = heldOutOf(few, 2 * share, seed)
      for (const subject of heldOutOf(few, share, seed)) expect(larger).toContain(subject)
    }),
    { numRuns: 20 },
  )
})
