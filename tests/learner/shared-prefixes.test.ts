import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { ModelSession } from '../../src/learner/model-session.js'
import type { BatchLayout } from '../../src/learner/packed-batch.js'
import { growTrees, singleTrees, type TokenPair, type TokenTree, walkThrough } from '../../src/learner/token-trees.js'
import { loraFromAdapter } from '../../src/model/lora.js'
import { distance, norm, relativeDistance } from '../support/compare.js'
import { loraOf } from '../support/lora.js'
import { ADAMW } from '../support/optimizer.js'
import { conversations } from '../support/random-conversations.js'
import { runs } from '../support/thorough.js'

/** One row for everything that is shared, and rows for each event by itself. */
const SHARED = { tokens: 768, sequences: 12, rows: 1, length: 768, longest: 768 }
const APART = { tokens: 1280, sequences: 12, rows: 13, length: 104, longest: 104 }

const adapter = readAdapter('tests/golden/tiny_adapter')
const lora = loraOf(adapter)
const open = (gradientCheckpointing: boolean) => {
  const session = new ModelSession({
    ...{
      modelPath: 'tests/golden/tiny_llama',
      dtype: 'f32',
      executor: 'graph',
      lora,
      shapes: [SHARED, APART],
      beta: 0.3,
    },
    ...{ optimizer: { ...ADAMW, weightDecay: 0, clipNorm: 0 }, gradientCheckpointing, purposes: ['train', 'score'] },
    ...{ decoder: null, givenDecoder: null, referenceLora: null },
  })
  session.adapterValues = loraFromAdapter(session.model.lora, lora, adapter, 'tiny_adapter')
  return session
}

/** The events as trees hold them: in which order, and how they are packed. */
function packed(all: readonly TokenPair[], trees: readonly TokenTree[], shape: BatchLayout['shape']) {
  const order = trees.flatMap(({ events }) => events)
  const layout: BatchLayout = { shape, trees: trees.map((tree) => tree.events.length) }
  return { order, events: order.map((index) => all[index]!), layout }
}

const terms = (order: readonly number[], referenceLogps: readonly number[], labels: readonly boolean[]) => ({
  ...{ referenceLogps, labels, delta: 0.1, first: true },
  coefficients: order.map((index) => 0.1 + index / 20),
})

describe.each([false, true])('with gradient checkpointing %s', (isCheckpointing) => {
  const session = open(isCheckpointing)
  afterAll(() => session.dispose())

  /** What a layout computes, in the order of the events. */
  function computed(all: readonly TokenPair[], trees: readonly TokenTree[], shape: BatchLayout['shape']) {
    const { order, events, layout } = packed(all, trees, shape)
    const inOrder = <T>(rows: readonly T[]) => all.map((_, index) => rows[order.indexOf(index)]!)
    const reference = session.reference.prepare(events, layout)()
    const labels = order.map((index) => index % 3 > 0)
    const { logps, rewards, loss } = session.accumulate(events, layout, terms(order, reference.logps, labels))()
    return {
      reference: inOrder(reference.logps),
      embeddings: inOrder(reference.embeddings).flatMap((each) => [...each]),
      ...{ policy: inOrder(logps), scored: inOrder(session.score(events, layout)()), rewards: inOrder(rewards) },
      ...{ loss: [loss], gradient: [...session.gradientAt(0)] },
    }
  }

  /** ‖gradient‖₂ if all had been liked, each in a row of its own. */
  function likedNorm(all: readonly TokenPair[]) {
    const { order, events, layout } = packed(all, singleTrees(all), APART)
    const { logps } = session.reference.prepare(events, layout)()
    const labels = order.map(() => true)
    session.accumulate(events, layout, terms(order, logps, labels))()
    return norm(session.gradientAt(0))
  }

  test('what several events share, computed once, gives what it gives computed for each', () => {
    fc.assert(
      fc.property(conversations(20), (events) => {
        const trees = growTrees(walkThrough(events), 1, { tokens: 768, sequences: 12 })
        const shared = computed(events, trees, SHARED)
        const apart = computed(events, singleTrees(events), APART)
        const { gradient, ...others } = apart
        for (const [name, values] of Object.entries(others))
          expect(relativeDistance(shared[name as keyof typeof shared], values), name).toBeLessThan(2e-5)
        // votes for and against one answer leave next to nothing of each other's gradients, but all of their rounding
        expect(distance(shared.gradient, gradient) / likedNorm(events), 'gradient').toBeLessThan(2e-5)
        // the same again, to the bit
        expect(computed(events, trees, SHARED)).toEqual(shared)
      }),
      { numRuns: runs(100) },
    )
  })
})
