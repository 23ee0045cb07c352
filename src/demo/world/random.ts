import { type Random, Sfc32 } from '../../model/random.js'

/**
 * Numbers of the demo's users.
 *
 * @param seed    any integer; its low 32 bits count
 * @param stream  numbers of one seed that must not touch each other (who asks, who votes) take different streams
 */
export const userRandom = (seed: number, stream = 0): Random => new Sfc32([0, seed, stream, 1]).stream()
