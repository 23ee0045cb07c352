import { describe, expect, it } from 'vitest'
import type { GateSubject } from '../../src/gate/check.js'
import { divergenceCheck } from '../../src/gate/divergence.js'
import { subjectOf } from './subject.js'

const completion = (length: number) => ({ promptTokens: [1], completionTokens: Array.from({ length }, () => 2) })
const pairs = [completion(2), completion(3), completion(5)]

const run = (
  divergences: readonly (number | null)[],
  bound: number,
  given: Partial<GateSubject> = {},
  recent = pairs,
) => divergenceCheck('live', bound, async () => recent).run(subjectOf({ divergences: async () => divergences }, given))

describe('the KL per token', () => {
  it('is that of all tokens, with completions as clusters; the upper end counts', async () => {
    // as in interval.test.ts: sums 4, 9, 10 over 2, 3 and 5 tokens
    const half = 4.302652729911275 * Math.sqrt(0.1053)
    const found = await run([4, 9, 10], 2.3 + half + 1e-9)
    expect(found).toMatchObject({ outcome: 'passed', reference: 'v00000010', detail: '3 completions, 10 tokens' })
    expect(found.value).toBeCloseTo(2.3, 12)
    expect(found.high).toBeCloseTo(2.3 + half, 8)
    expect(await run([4, 9, 10], 2.3 + half - 1e-6)).toMatchObject({ outcome: 'refused' })
  })

  it('that is not finite is refused', async () => {
    expect(await run([4, Number.NaN, 10], 100)).toMatchObject({ outcome: 'refused', value: null })
  })

  it('leaves out what is too long for the device, and says so', async () => {
    const left = await run([4, null, 10], 100)
    expect(left).toMatchObject({
      outcome: 'passed',
      value: 14 / 7,
      detail: "2 completions, 7 tokens, 1 left out: too long for the device's memory",
    })
    await expect(run([null, null, 1], 100)).rejects.toMatchObject({ code: 'GATE_NO_PROMPTS' })
  })

  it('to a live version is not asked for before there is one', async () => {
    expect(await run([], 1, { live: null })).toMatchObject({ outcome: 'skipped' })
  })

  it('cannot be had without recent prompts', async () => {
    await expect(run([1], 1, {}, [completion(1)])).rejects.toMatchObject({ code: 'GATE_NO_PROMPTS' })
  })
})
