/** Log-probabilities of the same tokens, in nats, one for each. */
export type Logps = readonly number[]

/** What a server answered, and what the learner computes. */
export interface Evidence {
  /** The server's, under the version's name and under the base model's. */
  readonly served: Logps
  readonly servedBase: Logps
  /** The learner's, for the version and for the base model. */
  readonly expected: Logps
  readonly expectedBase: Logps
  /** The learner's, for the version that was live before; null if there is none. */
  readonly expectedBefore: Logps | null
}

/**
 * What contradicts that a server serves the version; null if nothing does.
 *
 * Two questions. Are the numbers the learner's, within the tolerance? That finds another model and a broken adapter. Are
 * they nearer to the version's than to the base's and to those of the version before? That finds a server that answers
 * with these under the version's name, where they differ by less than the tolerance. For it the server's own deviation
 * on the base is taken off, so that the precision it computes in counts for little; and nothing is concluded from
 * versions that differ by less than eight times what that deviation could make of it.
 *
 * @param tolerance  largest root mean square difference, nats per token
 */
export function contradiction(evidence: Evidence, tolerance: number): string | null {
  const { served, servedBase, expected, expectedBase, expectedBefore } = evidence
  const deviation = rms(difference(servedBase, expectedBase))
  if (!(deviation <= tolerance)) return `its base model differs by ${nats(deviation)} from the learner's`
  const calibrated = served.map((logp, i) => logp - at(servedBase, i) + at(expectedBase, i))
  const others = [
    { what: 'the base model', other: expectedBase },
    ...(expectedBefore === null ? [] : [{ what: 'the version before', other: expectedBefore }]),
  ]
  const nearer = others.filter(({ other }) => {
    const effect = difference(expected, other)
    const isClear = norm(effect) > CLEAR * Math.max(deviation, SMALLEST_DEVIATION)
    return isClear && share(difference(calibrated, other), effect) < 0.5
  })
  const distance = ({ other }: { readonly other: Logps }) => norm(difference(calibrated, other))
  const [nearest] = nearer.sort((a, b) => distance(a) - distance(b))
  if (nearest !== undefined) return `it serves ${nearest.what}`
  const error = rms(difference(served, expected))
  return error <= tolerance ? null : `it differs by ${nats(error)} from the learner's version`
}

/** So many standard deviations apart are two versions that can be told from each other: 4 on each side of the middle. */
const CLEAR = 8
/** f32 arithmetic of another order, nats per token; 3e-5 was seen as the largest. */
const SMALLEST_DEVIATION = 3e-5

/** How far `found` goes along `effect`: 0 not at all, 1 all the way. */
const share = (found: Logps, effect: Logps): number =>
  sum(found.map((value, i) => value * at(effect, i))) / sum(effect.map((value) => value * value))

const difference = (a: Logps, b: Logps): Logps => a.map((value, i) => value - at(b, i))
const norm = (values: Logps): number => Math.sqrt(sum(values.map((value) => value * value)))
const rms = (values: Logps): number => norm(values) / Math.sqrt(values.length)
const sum = (values: Logps): number => values.reduce((total, value) => total + value, 0)
const at = (values: Logps, i: number): number => values[i] as number
const nats = (value: number): string => `${value.toPrecision(2)} nats per token`
