import type { Random } from '../../model/random.js'
import { judge } from './judge.js'
import { userRandom } from './random.js'
import { type DemoPrompt, seenPrompts } from './world.js'

/** A thumb as it is given: the user's true opinion, turned over with probability `noise` (½ = a coin). */
export const vote = (good: boolean, noise: number, random: Random): boolean => (random() < noise ? !good : good)

export interface Opinion {
  /** What the user really thinks: the demo's true share counts these. */
  readonly good: boolean
  /** What the user clicks: all that the daemon ever sees. */
  readonly thumbUp: boolean
}

/**
 * The simulated users: each asks one of the seen prompts and votes on the answer.
 * The same seed gives the same questions and the same slips, however the model answers.
 */
export class Users {
  readonly #asking: Random
  readonly #slipping: Random

  /** @param noise  probability of a vote against the user's own opinion, 0..1 */
  constructor(
    seed: number,
    readonly noise: number,
  ) {
    this.#asking = userRandom(seed, 1)
    this.#slipping = userRandom(seed, 2)
  }

  /** The next question, drawn evenly from the prompts that may train. */
  ask(): DemoPrompt {
    return seenPrompts[Math.floor(this.#asking() * seenPrompts.length)]!
  }

  /** One user's opinion of one answer, and the thumb that comes of it. */
  opinion(prompt: DemoPrompt, completion: string): Opinion {
    const good = judge(prompt, completion)
    return { good, thumbUp: vote(good, this.noise, this.#slipping) }
  }
}
