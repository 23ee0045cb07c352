/**
 * Holds what a step asked for against what it may ask for.
 *
 * @param counts  by name
 * @param atMost  bounds, of some of them
 * @returns what is above its bound, and what is below it, in words
 */
export function judge(counts, atMost) {
  const entries = Object.entries(atMost)
  const words = ([name, bound]) => `${name} ${counts[name]}, at most ${bound} are allowed`
  return {
    // what was not counted is not within its bound either
    more: entries.filter(([name, bound]) => !(counts[name] <= bound)).map(words),
    less: entries.filter(([name, bound]) => counts[name] < bound).map(words),
  }
}
