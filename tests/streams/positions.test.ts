import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Positions } from '../../src/streams/positions.js'

const at = (partition: number, offset: number) => ({ topic: 't', partition, offset })

test('the committable offset is the next one to read when nothing is open', () => {
  const positions = new Positions()
  positions.track(at(0, 4))
  positions.ack(at(0, 4))
  expect(positions.committable()).toEqual(new Map([[0, 5]]))
  expect(positions.next(0)).toBe(5)
})

test('the committable offset waits for the lowest open one, whatever ends after it', () => {
  const positions = new Positions()
  for (const offset of [4, 5, 6]) positions.track(at(0, offset))
  positions.ack(at(0, 5))
  positions.ack(at(0, 6))
  expect(positions.committable()).toEqual(new Map([[0, 4]]))
  positions.ack(at(0, 4))
  expect(positions.committable()).toEqual(new Map([[0, 7]]))
})

test('a record that was read before is not opened again', () => {
  const positions = new Positions()
  expect(positions.track(at(0, 3))).toBe(true)
  positions.ack(at(0, 3))
  expect(positions.track(at(0, 3))).toBe(false)
  expect(positions.openCount).toBe(0)
})

test('gaps move the read position forward, never back', () => {
  const positions = new Positions()
  positions.advance(1, 10)
  positions.advance(1, 7)
  expect(positions.next(1)).toBe(10)
  expect(positions.next(0)).toBeUndefined()
})

test('agrees with a plain list of open offsets, also across a restore that reopens them in any order', () => {
  const step = fc.record({
    kind: fc.constantFrom('begin', 'end', 'gap', 'restore'),
    partition: fc.integer({ min: 0, max: 1 }),
    pick: fc.nat(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let positions = new Positions()
      const next = new Map<number, number>()
      let open: { partition: number; offset: number }[] = []
      for (const { kind, partition, pick } of steps) {
        const offset = next.get(partition) ?? 0
        if (kind === 'begin') {
          positions.track(at(partition, offset))
          open.push({ partition, offset })
          next.set(partition, offset + 1)
        } else if (kind === 'gap') {
          positions.advance(partition, offset + 2)
          next.set(partition, offset + 2)
        } else if (kind === 'end' && open.length > 0) {
          const [ended] = open.splice(pick % open.length, 1)
          positions.ack(at(ended!.partition, ended!.offset))
        } else if (kind === 'restore') {
          const state = positions.snapshot()
          positions = new Positions()
          positions.restore(state)
          open = open.map((_, i) => open[(i + pick) % open.length]!)
          for (const entry of open) positions.restoreOpen(at(entry.partition, entry.offset))
        }
        for (const [key, value] of next) {
          const offsets = open.filter((entry) => entry.partition === key).map((entry) => entry.offset)
          expect(positions.committable().get(key)).toBe(Math.min(value, ...offsets))
        }
      }
    }),
  )
})
