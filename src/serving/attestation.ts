/** Log-probabilities of the same tokens, in nats, one for each. */
export type Logps = readonly number[]

/** What a server answered, and what the learner computes. */
export interface Evidence {
  /** The server's log-probabilities under the version's name. */
  readonly served: Logps
  /** The learner's for the same tokens: under the version, under the base model, under the version that was live before. */
  readonly expected: Logps
  readonly expectedBase: Logps
  /** null if there was none. */
  readonly expectedBefore: Logps | null
  /** Both under the base model, for tokens of their own: how far server and learner are apart where nothing is at stake. */
  readonly base: { readonly served: Logps; readonly expected: Logps }
}

/**
 * What contradicts that a server serves the version; null if nothing does.
 *
 * Two questions. Are the numbers the learner's, within the tolerance? That finds another model and a broken adapter. Are
 * they nearer to the version's than to the base's and to those of the version before? That finds a server that answers
 * with these under the version's name, where they differ by less than the tolerance. Nothing is concluded from versions
 * that differ by less than eight times what the server deviates on the base. If it answers the base wrongly, what counts
 * is its deviation from the nearest of these versions.
 *
 * @param tolerance  largest root mean square difference, nats per token
 */
export function contradiction(evidence: Evidence, tolerance: number): string | null {
  const { served, expected, expectedBase, expectedBefore, base } = evidence
  const error = rms(difference(served, expected))
  const others = [
    { what: 'the base model', other: expectedBase },
    ...(expectedBefore === null ? [] : [{ what: 'the version before', other: expectedBefore }]),
  ]
  const ofBase = rms(difference(base.served, base.expected))
  // vLLM on the CPU answers the base with the adapter of another request in its batch, and versions rightly
  const deviation =
    ofBase > tolerance ? Math.min(error, ...others.map(({ other }) => rms(difference(served, other)))) : ofBase
  if (!(deviation <= tolerance)) return `its base model differs by ${nats(ofBase)} from the learner's`
  const nearer = others.filter(({ other }) => {
    const effect = difference(expected, other)
    const isClear = norm(effect) > CLEAR * Math.max(deviation, SMALLEST_DEVIATION)
    return isClear && share(difference(served, other), effect) < 0.5
  })
  const distance = ({ other }: { readonly other: Logps }) => norm(difference(served, other))
  const [nearest] = nearer.sort((a, b) => distance(a) - distance(b))
  if (nearest !== undefined) return `it serves ${nearest.what}`
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
