/** Labelled prompt embeddings drawn from two Gaussians, for tests. */
export interface Sample {
  readonly embedding: Float64Array
  readonly label: boolean
}

export interface Source {
  readonly width: number
  /** Share of thumbs-up. */
  readonly upRate: number
  /** Distance of the class means, in standard deviations, along the first coordinate; 0 says nothing of the label. */
  readonly separation: number
  readonly seed: number
  /** @default 1 */
  readonly scale?: number
  /** @default 0 */
  readonly mean?: number
}

/** The same samples for the same source. */
export function samples(source: Source, count: number): Sample[] {
  const { width, upRate, separation, scale = 1, mean = 0 } = source
  const { uniform, normal } = randomOf(source.seed)
  return Array.from({ length: count }, () => {
    const label = uniform() < upRate
    const embedding = Float64Array.from({ length: width }, () => mean + scale * normal())
    embedding[0]! += scale * (label ? 0.5 : -0.5) * separation
    return { embedding, label }
  })
}

export function* inSteps(all: readonly Sample[], size: number) {
  for (let i = 0; i < all.length; i += size) {
    const step = all.slice(i, i + size)
    yield { embeddings: step.map(({ embedding }) => embedding), labels: step.map(({ label }) => label) }
  }
}

/** Uniform numbers, and standard normal ones made of two of them (Box and Muller). */
export function randomOf(seed: number) {
  const uniform = uniforms(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  return { uniform, normal }
}

/** Mulberry32, 0 ≤ u < 1. */
function uniforms(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
