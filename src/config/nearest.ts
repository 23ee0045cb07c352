/** The candidate that a misspelt name most likely meant; null if none is close. */
export function nearest(name: string, candidates: Iterable<string>): string | null {
  const lower = name.toLowerCase()
  const tail = lastPart(lower)
  let best: string | null = null
  let bestDistance = Infinity
  for (const candidate of candidates) {
    const other = candidate.toLowerCase()
    const sameTail = lastPart(other) === tail
    const distance = editDistance(lower, other)
    const rank = sameTail ? Math.min(distance, 1) : distance
    const close = sameTail || distance <= Math.max(2, Math.floor(name.length / 6))
    if (close && rank < bestDistance) {
      best = candidate
      bestDistance = rank
    }
  }
  return best
}

/** Levenshtein distance: insertions, deletions and substitutions. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

const lastPart = (name: string): string => name.slice(name.lastIndexOf('.') + 1)
