import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contradiction, type Evidence } from '../../src/serving/attestation.js'

/** Four tokens; the version moves each by 0.01 nats, the version before by half of it. */
const base = [-1, -2, -3, -4]
const version = base.map((logp) => logp + 0.01)
const before = base.map((logp) => logp + 0.005)
const evidence = (changes: Partial<Evidence> = {}): Evidence => ({
  ...{ served: version, expected: version, expectedBase: base, expectedBefore: before },
  base: { served: base, expected: base },
  ...changes,
})
const shifted = (logps: readonly number[], by: number) => logps.map((logp, i) => logp + (i % 2 === 0 ? by : -by))

describe('a server is believed', () => {
  it('whose numbers are the learner’s', () => {
    expect(contradiction(evidence(), 1e-4)).toBeNull()
  })

  it('whose numbers are off by its precision, within the tolerance', () => {
    const coarse = evidence({ served: shifted(version, 0.03), base: { served: shifted(base, 0.03), expected: base } })
    expect(contradiction(coarse, 0.05)).toBeNull()
  })

  it('that answers the version right and its base model with another request’s adapter', () => {
    const mixedUp = { served: base.map((logp) => logp - 2), expected: base }
    expect(contradiction(evidence({ base: mixedUp }), 1e-4)).toBeNull()
    expect(contradiction(evidence({ base: mixedUp, served: before }), 0.05)).toBe('it serves the version before')
  })

  it('if the version hardly differs from the base: no answer could tell', () => {
    const alike = base.map((logp) => logp + 1e-6)
    expect(contradiction(evidence({ expected: alike, served: base, expectedBefore: null }), 0.05)).toBeNull()
  })
})

describe('a server is not believed', () => {
  it('that answers with the base model, though the tolerance would allow it', () => {
    expect(contradiction(evidence({ served: base }), 0.05)).toBe('it serves the base model')
  })

  it('that answers with the base model and is imprecise', () => {
    const far = base.map((logp) => logp + 0.4)
    const imprecise = shifted(base, 0.03)
    const found = contradiction(
      evidence({ served: imprecise, expected: far, base: { served: imprecise, expected: base } }),
      1,
    )
    expect(found).toBe('it serves the base model')
  })

  it('that still answers with the version before', () => {
    expect(contradiction(evidence({ served: before }), 0.05)).toBe('it serves the version before')
  })

  it('that has another base model', () => {
    const off = (logps: readonly number[]) => logps.map((logp) => logp - 2)
    const found = contradiction(evidence({ served: off(version), base: { served: off(base), expected: base } }), 0.05)
    expect(found).toBe("its base model differs by 2.0 nats per token from the learner's")
  })

  it('whose adapter does something else', () => {
    // 0.3 on two of four tokens: √(2 · 0.09 / 4) = 0.212
    const broken = version.map((logp, i) => (i < 2 ? logp + 0.3 : logp))
    expect(contradiction(evidence({ served: broken }), 0.1)).toBe(
      "it differs by 0.21 nats per token from the learner's version",
    )
  })

  it('that answers what is no number', () => {
    expect(contradiction(evidence({ base: { served: base.map(() => Number.NaN), expected: base } }), 0.1)).toContain(
      'its base model differs',
    )
    expect(contradiction(evidence({ served: base.map(() => Number.NaN) }), 0.1)).toContain('it differs by')
  })
})

it('noise of its own never turns the version into the base, nor the base into the version', () => {
  const noise = fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 120, maxLength: 120 })
  fc.assert(
    fc.property(noise, noise, (first, second) => {
      const many = first.map((_, i) => -1 - (i % 7))
      const moved = many.map((logp, i) => logp + (i % 2 === 0 ? 0.1 : -0.1))
      const add = (logps: readonly number[], by: readonly number[]) =>
        logps.map((logp, i) => logp + 0.01 * (by[i] as number))
      const common = {
        expected: moved,
        expectedBase: many,
        expectedBefore: null,
        base: { served: add(many, second), expected: many },
      }
      expect(contradiction({ ...common, served: add(moved, first) }, 0.05)).toBeNull()
      expect(contradiction({ ...common, served: add(many, first) }, 0.05)).not.toBeNull()
    }),
  )
})
