// The judge of all sides: log-probabilities of the held-out pairs under any adapter.
import { loadConfig } from '../../dist/config/config.js'
import { Learner } from '../../dist/learner/learner.js'

/** As `bcod eval` has them: scoring keeps no gradients. */
const BLOCKS = ['batch.size=32', 'batch.tokens=4096']

export class Scorer {
  #learner
  #base = null

  /** @param maxLength  of an answer with its prompt, in tokens */
  constructor(model, maxLength, pairs) {
    const set = [`model.path=${JSON.stringify(model)}`, `limits.maxLength=${maxLength}`, ...BLOCKS]
    const options = { training: false, given: { divergence: false, answerRows: 0 } }
    this.#learner = new Learner(loadConfig({ env: {}, set }), options)
    this.answers = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected])
  }

  /** log π(y|x) − log π_ref(y|x) of each answer under an adapter, in nats: chosen and rejected of the first pair, … */
  logRatios(adapter) {
    this.#base ??= this.#logps(null)
    return this.#logps(adapter).map((logp, i) => logp - this.#base[i])
  }

  /** The log-ratio of each pair's chosen answer less that of its rejected one, in nats. */
  margins(adapter) {
    const ratios = this.logRatios(adapter)
    return Array.from({ length: ratios.length / 2 }, (_, i) => ratios[2 * i] - ratios[2 * i + 1])
  }

  #logps(adapter) {
    const values = this.#learner.logpsUnder(adapter, this.answers)
    if (!values.every(Number.isFinite)) throw new Error('an answer of a pair has no finite log-probability')
    return values
  }
}
