import { describe, expect, test } from 'vitest'
import { FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'
import { bcoLoss } from '../../src/loss/bco.js'
import { relativeDistance } from '../support/compare.js'
import { type GoldenBatch, goldenCases, labelsOf, policyOf, referenceOf, rewardsOf } from './golden.js'

/** More than any batch of the golden file has: what is left is padding. */
const ROWS = 10
const padded = (values: readonly number[]) => Float32Array.from({ length: ROWS }, (_, i) => values[i] ?? 0)

/** `bcoLoss` compiled, with its gradient by log πθ. */
function compiled(beta: number): Session {
  const library = new FunctionLibrary()
  const rows = { shape: [ROWS], dtype: 'float32' } as const
  const inputs = { policyLogps: rows, referenceLogps: rows, signs: rows, coefficients: rows }
  const delta = { shape: [], dtype: 'float32' } as const
  const program = traceProgram(library, 'bco', { ...inputs, delta }, (scope) => {
    const given = scope.inputs as Record<'policyLogps' | 'referenceLogps' | 'signs' | 'coefficients' | 'delta', never>
    const { rewards, losses, loss } = bcoLoss({ ...given, beta })
    const gradient = tf.grad((policyLogps) => bcoLoss({ ...given, policyLogps, beta }).loss)(given.policyLogps)
    return { rewards, losses, loss, gradient }
  })
  return new Session(library, [], [program], 'graph')
}

/** As TRL reduces: the mean over all events of w ℓ. */
function inputsOf(batch: GoldenBatch) {
  const labels = labelsOf(batch)
  const densityRatios = labels.map((up, i) => (up ? 1 : (batch.rejected_weight?.[i - batch.policy_chosen.length] ?? 1)))
  return {
    labels,
    densityRatios,
    given: {
      policyLogps: padded(policyOf(batch)),
      referenceLogps: padded(referenceOf(batch)),
      signs: padded(labels.map((up) => (up ? 1 : -1))),
      coefficients: padded(densityRatios.map((w) => w / labels.length)),
      delta: Float32Array.of(batch.delta),
    },
  }
}

describe.each(goldenCases)('rewards, losses and gradient are those that TRL gave: $name', ({ beta, batches }) => {
  test('for every batch', () => {
    const session = compiled(beta)
    for (const batch of batches) {
      const { labels, densityRatios, given } = inputsOf(batch)
      const { rewards, losses, loss, gradient } = session.run('bco', given)
      const used = (values: ArrayLike<number> | undefined) => Array.from(values!).slice(0, labels.length)
      expect(relativeDistance(used(rewards), rewardsOf(batch))).toBeLessThan(1e-5)
      const weighted = used(losses).map((value, i) => value * densityRatios[i]!)
      expect(relativeDistance(weighted, batch.losses)).toBeLessThan(1e-5)
      expect(Math.abs(loss![0]! / batch.loss_nanmean - 1)).toBeLessThan(1e-5)
      const golden = [...batch.grad_policy_chosen, ...batch.grad_policy_rejected]
      expect(relativeDistance(used(gradient), golden)).toBeLessThan(1e-5)
      // padding has no share
      expect(
        Array.from(gradient!)
          .slice(labels.length)
          .every((value) => value === 0),
      ).toBe(true)
    }
    session.dispose()
  })
})

test('a margin of ±1000 gives a loss and a gradient without overflow', () => {
  const session = compiled(1)
  const { losses, gradient } = session.run('bco', {
    policyLogps: padded([1000, -1000, 1000, -1000]),
    referenceLogps: padded([]),
    signs: padded([1, 1, -1, -1]),
    coefficients: padded([1, 1, 1, 1]),
    delta: Float32Array.of(0),
  })
  expect(Array.from(losses!).slice(0, 4)).toEqual([0, 1000, 1000, 0])
  expect(Array.from(gradient!, (value) => value + 0).slice(0, 4)).toEqual([0, -1, 1, 0])
  session.dispose()
})
