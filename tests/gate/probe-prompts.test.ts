import { expect, it } from 'vitest'
import { probePrompts } from '../../src/gate/probe-prompts.js'

/** A probe whose prompts have so many tokens. */
const probe = (name: string, ...lengths: readonly number[]) => {
  const pair = (length: number) => ({ promptTokens: Array(length).fill(7), completionTokens: [1] })
  const rows = lengths.map((length, i) => ({
    line: i + 1,
    chosen: pair(length),
    rejected: pair(length),
    name: null,
    weight: 1,
  }))
  return { probe: { name, rows, tooLong: 0 }, onlyIfSpoken: false }
}

it('of each probe file the first prompt is asked that leaves room for an answer', () => {
  const asked = probePrompts({ probes: [probe('harm', 90, 30, 20), probe('length', 99)] }, 100)
  expect(asked).toEqual([
    { name: 'probe:harm', rows: [{ name: 'probe:harm', line: 2, promptTokens: Array(30).fill(7), maxTokens: 50 }] },
  ])
  expect(probePrompts({ probes: [probe('harm', 90)] }, 4096)[0]?.rows[0]?.maxTokens).toBe(64)
})
