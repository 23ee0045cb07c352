import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from '../../src/config/nearest.js'

describe('edit distance', () => {
  it('is Levenshtein’s', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('flaw', 'lawn')).toBe(2)
  })

  it('is a metric', () => {
    const word = fc.string({ maxLength: 8 })
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c))
      }),
    )
  })
})

describe('the nearest name', () => {
  it('is found over case, a typo or a forgotten group, and not over nothing', () => {
    const keys = ['batch.size', 'optimizer.lr', 'stream.topic']
    expect(nearest('BATCH.SIZE', keys)).toBe('batch.size')
    expect(nearest('batch.siez', keys)).toBe('batch.size')
    expect(nearest('lr', keys)).toBe('optimizer.lr')
    expect(nearest('wholly.different', keys)).toBeNull()
  })
})
