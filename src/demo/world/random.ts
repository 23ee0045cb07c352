/** A source of numbers in [0, 1), 32 bits each. */
export type Random = () => number

/**
 * Chris Doty-Humphrey's sfc32 (PractRand): 128 bits of state with a counter, so no cycle is shorter than 2³².
 * The same seed gives the same numbers on every machine.
 *
 * @param seed    any integer; its low 32 bits count
 * @param stream  numbers of one seed that must not touch each other (who asks, who votes) take different streams
 */
export function seededRandom(seed: number, stream = 0): Random {
  let a = 0
  let b = seed | 0
  let c = stream | 0
  let counter = 1

  const next = (): number => {
    const out = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + out) | 0
    return out >>> 0
  }

  for (let i = 0; i < WARM_UP; i++) next()
  return () => next() / 2 ** 32
}

/** PractRand's own number of rounds after seeding. */
const WARM_UP = 12
