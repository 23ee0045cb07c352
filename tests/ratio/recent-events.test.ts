import { expect, test } from 'vitest'
import { RecentEvents } from '../../src/ratio/recent-events.js'

const event = (at: number) => ({ row: Float64Array.of(at, 1), label: at % 2 === 0, weight: at / 10, at })

test('keeps 32 to 64 events, and gives the older ones away once, in order', () => {
  const recent = new RecentEvents(2)
  const old: number[] = []
  for (let at = 1; at <= 200; at++) {
    recent.add([event(at)])
    old.push(...recent.takeOld().map((each) => each.at))
    expect(recent.all.length).toBeLessThanOrEqual(64)
    if (at > 32) expect(recent.all.length).toBeGreaterThanOrEqual(32)
  }
  expect([...old, ...recent.all.map((each) => each.at)]).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
})

test('a step of hundreds stays whole until it is taken', () => {
  const recent = new RecentEvents(2)
  recent.add(Array.from({ length: 300 }, (_, i) => event(i)))
  expect(recent.all).toHaveLength(300)
  expect(recent.takeOld()).toHaveLength(268)
  const restored = new RecentEvents(2)
  restored.restore(recent.tensors())
  expect(restored.all).toEqual(recent.all)
})
