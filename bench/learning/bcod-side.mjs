// bcod's side: a learner that trains the votes of one seed after the other, each from its initial adapter.
import { loadConfig } from '../../dist/config/config.js'
import { Learner } from '../../dist/learner/learner.js'
import { readArchitecture } from '../../dist/model/architecture.js'
import { initialLora, loraParameters, toAdapter } from '../../dist/model/lora.js'
import { batches } from '../../dist/replay/batches.js'

/** @param maxLength  of an event, in tokens: what the programs have room for @param settings  as for --set */
export const bcodConfig = (model, maxLength, settings) =>
  loadConfig({
    env: {},
    defaults: { batch: { stratify: false } },
    set: [`model.path=${JSON.stringify(model)}`, `limits.maxLength=${maxLength}`, ...settings],
  })

/** The adapter that all sides of a seed begin with: A at random, B zero. */
export function initialAdapter(model, { lora }, seed) {
  const parameters = loraParameters(readArchitecture(model), lora)
  return toAdapter(parameters, lora, initialLora(parameters, seed), model)
}

export class BcodSide {
  #learner
  #empty

  constructor(config) {
    this.config = config
    this.#learner = new Learner(config)
    this.#empty = this.#learner.state()
  }

  /** @returns the adapter after all votes, and how many steps they took */
  async train(votes, initial) {
    this.#learner.restore(initial, this.#empty)
    for await (const step of batches(votes, this.config)) {
      const { quarantined, refused } = this.#learner.trainStep(step)
      if (quarantined.length + refused.length > 0) throw new Error(`a vote did not train in step ${this.#learner.step}`)
    }
    return { adapter: this.#learner.adapter(), steps: this.#learner.step }
  }

  dispose() {
    this.#learner.dispose()
  }
}
