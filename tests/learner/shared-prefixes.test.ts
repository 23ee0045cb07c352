import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { ModelSession } from '../../src/learner/model-session.js'
import type { BatchLayout } from '../../src/learner/packed-batch.js'
import { growTrees, singleTrees, type TokenPair, type TokenTree, walkThrough } from '../../src/learner/token-trees.js'
import { loraFromAdapter } from '../../src/model/lora.js'
import { relativeDistance } from '../support/compare.js'
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

describe.each([false, true])('with gradient checkpointing %s', (isCheckpointing) => {
  const session = open(isCheckpointing)
  afterAll(() => session.dispose())

  /** What a layout computes, in the order of the events. */
  function computed(all: readonly TokenPair[], trees: readonly TokenTree[], shape: BatchLayout['shape']) {
    const order = trees.flatMap(({ events }) => events)
    const events = order.map((index) => all[index]!)
    const layout = { shape, trees: trees.map((tree) => tree.events.length) }
    const inOrder = <T>(rows: readonly T[]) => all.map((_, index) => rows[order.indexOf(index)]!)
    const reference = session.reference.prepare(events, layout)()
    const terms = {
      ...{ referenceLogps: reference.logps, labels: order.map((index) => index % 3 > 0), delta: 0.1, first: true },
      coefficients: order.map((index) => 0.1 + index / 20),
    }
    const { logps, rewards, loss } = session.accumulate(events, layout, terms)()
    const gradient = session.session.read(session.model.lora.gradient.name)[0] as Float32Array
    return {
      reference: inOrder(reference.logps),
      embeddings: inOrder(reference.embeddings).flatMap((each) => [...each]),
      ...{ policy: inOrder(logps), scored: inOrder(session.score(events, layout)()), rewards: inOrder(rewards) },
      ...{ loss: [loss], gradient: [...gradient] },
    }
  }

  test('what several events share, computed once, gives what it gives computed for each', () => {
    fc.assert(
      fc.property(conversations(20), (events) => {
        const trees = growTrees(walkThrough(events), 1, { tokens: 768, sequences: 12 })
        const shared = computed(events, trees, SHARED)
        const apart = computed(events, singleTrees(events), APART)
        for (const [name, values] of Object.entries(apart))
          expect(relativeDistance(shared[name as keyof typeof shared], values), name).toBeLessThan(2e-5)
        // the same again, to the bit
        expect(computed(events, trees, SHARED)).toEqual(shared)
      }),
      { numRuns: runs(100) },
    )
  })
})
