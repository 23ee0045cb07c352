/** A stream of numbers in [0, 1) that its seed decides, 32 bits each. */
export type Random = () => number

/**
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, of which one word is a counter, so that no cycle is shorter
 * than 2³². The same state gives the same numbers on every machine.
 */
export class Sfc32 {
  #a: number
  #b: number
  #c: number
  #counter: number

  /** @param state  four words of 32 bits; run 12 rounds on it before the first number is used */
  constructor([a, b, c, counter]: readonly [number, number, number, number]) {
    this.#a = a | 0
    this.#b = b | 0
    this.#c = c | 0
    this.#counter = counter | 0
  }

  /** The next number in [0, 1). */
  next(): number {
    const out = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + out
    this.#c |= 0
    return (out >>> 0) / 2 ** 32
  }

  /** Stirs a byte into the state. */
  mix(byte: number): void {
    this.#c ^= byte
    this.next()
  }

  /** Numbers from here on, after PractRand's 12 rounds. */
  stream(): Random {
    for (let round = 0; round < 12; round++) this.next()
    return () => this.next()
  }
}

/**
 * Numbers of a seed. The name of the stream is mixed in as well, so that streams of one seed do not resemble each other.
 *
 * @param stream  what it is used for; other names give other streams of the same seed
 */
export function seededRandom(seed: number, stream: string): Random {
  const generator = new Sfc32([seed, Math.floor(seed / 2 ** 32), 0x9e3779b9, 1])
  for (const byte of Buffer.from(stream)) generator.mix(byte)
  return generator.stream()
}
