import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitToLength } from '../../src/text/fit.js'

const BOS = 1

describe('fitToLength', () => {
  it('leaves what fits as it is', () => {
    expect(fitToLength([5, 6, 7], [8, 9], 5, BOS)).toEqual({ promptTokens: [5, 6, 7], completionTokens: [8, 9] })
  })

  it('cuts the prompt from its left', () => {
    expect(fitToLength([5, 6, 7], [8, 9], 4, BOS)?.promptTokens).toEqual([6, 7])
  })

  it('keeps a BOS that the prompt starts with', () => {
    expect(fitToLength([BOS, 5, 6, 7], [8, 9], 5, BOS)?.promptTokens).toEqual([BOS, 6, 7])
    expect(fitToLength([BOS, 5, 6, 7], [8, 9], 3, BOS)?.promptTokens).toEqual([BOS])
    expect(fitToLength([BOS, 5, 6, 7], [8, 9], 5, null)?.promptTokens).toEqual([5, 6, 7])
  })

  it('is null where the completion leaves no room for one prompt token', () => {
    expect(fitToLength([5], [8, 9], 3, BOS)?.promptTokens).toEqual([5])
    expect(fitToLength([5], [8, 9], 2, BOS)).toBeNull()
    expect(fitToLength([5], [8, 9], 1, BOS)).toBeNull()
  })

  it('fills the length, never touches the completion and keeps the end of the prompt', () => {
    const ids = fc.array(fc.nat(3), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(ids, ids, fc.integer({ min: 1, max: 45 }), (prompt, completion, maxLength) => {
        const fitted = fitToLength(prompt, completion, maxLength, BOS)
        expect(fitted === null).toBe(completion.length >= maxLength)
        if (!fitted) return
        const { promptTokens, completionTokens } = fitted
        expect(completionTokens).toBe(completion)
        expect(promptTokens.length).toBe(Math.min(prompt.length, maxLength - completion.length))
        const tail = prompt[0] === BOS ? promptTokens.slice(1) : promptTokens
        expect(tail).toEqual(tail.length === 0 ? [] : prompt.slice(-tail.length))
        if (prompt[0] === BOS) expect(promptTokens[0]).toBe(BOS)
      }),
    )
  })
})
