import { expect, test } from 'vitest'
import { VoteTally } from '../../../src/daemon/adapters/vote-tally.js'

async function* nothing() {
  yield* []
}

test('sources beyond a hundred are counted together, so that nobody fills the memory with names', async () => {
  const tally = new VoteTally(0, nothing)
  tally.trained(Array.from({ length: 250 }, (_, i) => ({ source: `s${i}`, label: true })))
  tally.trained([{ source: 's1', label: false }])
  const { up, down } = await tally.since(0, 1)
  expect(Object.keys(up)).toHaveLength(101)
  expect([up.s7, up.others, down]).toEqual([1, 150, { s1: 1 }])
})

test('votes are counted from the step of any version that this process has added', async () => {
  const tally = new VoteTally(5, nothing)
  const up = { source: 'web', label: true }
  tally.trained([up])
  tally.mark(6)
  tally.trained([up, up])
  tally.mark(8)
  tally.trained([up])
  expect(await Promise.all([5, 6, 8].map((step) => tally.since(step, 9)))).toEqual([
    { up: { web: 4 }, down: {} },
    { up: { web: 3 }, down: {} },
    { up: { web: 1 }, down: {} },
  ])
})
