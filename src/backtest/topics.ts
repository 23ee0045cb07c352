/** A topic: prompts whose embeddings lie together. */
export interface Topics {
  /** Of each point, from 0; −1 for one without an embedding. */
  readonly of: readonly number[]
  /** Of each topic, the index of the point nearest to its centre. */
  readonly typical: readonly number[]
}

const ROUNDS = 50

/**
 * k-means by Lloyd's rounds on unit vectors, begun with the points that lie farthest from those taken before (Gonzalez,
 * 1985), so that the same points give the same topics.
 *
 * @param points  vectors of one width; null for none
 * @param k  how many topics at most
 */
export function topicsOf(points: readonly (Float64Array | null)[], k: number): Topics {
  const known = points.flatMap((point, i) => (point === null ? [] : [{ i, x: unit(point) }]))
  const of = points.map(() => -1)
  if (known.length === 0) return { of, typical: [] }
  let centres = farthest(
    known.map(({ x }) => x),
    k,
  )
  let nearest: readonly number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const next = known.map(({ x }) => nearestOf(centres, x))
    if (round > 0 && next.every((each, j) => each === nearest[j])) break
    nearest = next
    centres = centres.map((centre, c) => meanOf(known.filter((_, j) => nearest[j] === c).map(({ x }) => x)) ?? centre)
  }
  for (const [j, { i }] of known.entries()) of[i] = nearest[j] as number
  const typical = centres.map((centre, c) => {
    const mine = known.filter((_, j) => nearest[j] === c)
    return mine.reduce((best, each) => (distance(each.x, centre) < distance(best.x, centre) ? each : best), mine[0]!).i
  })
  return { of, typical }
}

/** The first point, then each time the one farthest from those taken, while there are different ones. */
function farthest(points: readonly Float64Array[], k: number): Float64Array[] {
  const taken = [points[0] as Float64Array]
  const far = points.map((x) => distance(x, taken[0] as Float64Array))
  while (taken.length < k) {
    const next = far.indexOf(Math.max(...far))
    if ((far[next] as number) < 1e-9) break
    const x = points[next] as Float64Array
    taken.push(x)
    for (const [i, each] of points.entries()) far[i] = Math.min(far[i] as number, distance(each, x))
  }
  return taken
}

function nearestOf(centres: readonly Float64Array[], x: Float64Array): number {
  const distances = centres.map((centre) => distance(centre, x))
  return distances.indexOf(Math.min(...distances))
}

function meanOf(points: readonly Float64Array[]): Float64Array | null {
  if (points.length === 0) return null
  return Float64Array.from(points[0]!, (_, d) => points.reduce((sum, x) => sum + x[d]!, 0) / points.length)
}

function unit(x: Float64Array): Float64Array {
  const norm = Math.hypot(...x)
  return norm === 0 ? x : x.map((value) => value / norm)
}

const distance = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, d) => sum + (value - b[d]!) ** 2, 0)
