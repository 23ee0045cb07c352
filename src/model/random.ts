/** A stream of numbers in [0, 1) that its seed decides. */
export type Random = () => number

/**
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, period of at least 2³². The seed and the name of the
 * stream are mixed in by 12 rounds, so that streams of one seed do not resemble each other.
 *
 * @param stream  what it is used for; other names give other streams of the same seed
 */
export function seededRandom(seed: number, stream: string): Random {
  let a = seed | 0
  let b = Math.floor(seed / 2 ** 32) | 0
  let c = 0x9e3779b9
  let d = 1
  const next = () => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return (t >>> 0) / 2 ** 32
  }
  for (const byte of Buffer.from(stream)) {
    c = (c ^ byte) | 0
    next()
  }
  for (let round = 0; round < 12; round++) next()
  return next
}
