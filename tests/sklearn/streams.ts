import { randomOf } from '../ratio/streams.js'

/** Labelled prompt embeddings in the order in which they come, and more of the last kind to judge by. */
export interface Stream {
  readonly width: number
  /** [count + held][width], end to end. */
  readonly embeddings: Float64Array
  readonly labels: Uint8Array
  /** Events that are learnt from; the rest is held out. */
  readonly count: number
}

export const rowOf = ({ embeddings, width }: Stream, i: number): Float64Array =>
  embeddings.subarray(i * width, (i + 1) * width)

interface Gaussians {
  readonly width: number
  /** Distance of the class means in standard deviations. */
  readonly separation: number
  readonly seed: number
  readonly count: number
  readonly held?: number
  /** Share of thumbs-up at each event. */
  readonly up?: (i: number) => number
  /** Direction between the means, in the plane of the first two coordinates. */
  readonly angle?: (i: number) => number
  /** Correlated features of very different scales, far from 0. */
  readonly mixed?: boolean
  /** Student's t of 3 degrees of freedom instead of a Gaussian. */
  readonly heavy?: boolean
}

/** The same prompts at each call. */
export const STREAMS = {
  narrow: () => gaussians({ width: 16, separation: 1, seed: 1, count: 12_000, held: 4_000 }),
  correlated: () =>
    gaussians({ width: 64, separation: 2, seed: 2, up: () => 0.8, mixed: true, count: 12_000, held: 4_000 }),
  wide: () => gaussians({ width: 256, separation: 1.5, seed: 3, up: () => 0.3, count: 12_000, held: 4_000 }),
  heavy: () => gaussians({ width: 32, separation: 1, seed: 4, up: () => 0.6, heavy: true, count: 12_000, held: 4_000 }),
  topics: () => topics({ width: 128, seed: 5, count: 12_000, held: 4_000 }),
  rotation: () => gaussians({ width: 32, separation: 2, seed: 6, angle: turn(16_000), count: 16_000 }),
  fastRotation: () => gaussians({ width: 32, separation: 2, seed: 7, angle: turn(4_000), count: 16_000 }),
  switch: () =>
    gaussians({ width: 32, separation: 2, seed: 8, angle: (i) => (i < 8_000 ? 0 : Math.PI), count: 16_000 }),
  rate: () =>
    gaussians({
      width: 32,
      separation: 1,
      seed: 9,
      up: (i) => (i < 10_000 ? 0.5 : 0.95),
      count: 30_000,
      held: 100_000,
    }),
} satisfies Record<string, () => Stream>

export type StreamName = keyof typeof STREAMS

function turn(events: number) {
  return (i: number) => (2 * Math.PI * i) / events
}

export function gaussians(given: Gaussians): Stream {
  const { width, separation, seed, count, held = 0, up = () => 0.5, angle = () => 0, mixed, heavy } = given
  const { uniform, normal } = randomOf(seed)
  const mixing = Array.from({ length: mixed ? width : 0 }, () =>
    Float64Array.from({ length: width }, () => normal() / Math.sqrt(width)),
  )
  const scales = mixing.map(() => 10 ** (4 * uniform() - 2))
  const offsets = scales.map((scale) => 5 * scale * normal())
  return streamOf(width, count, held, (i) => {
    const label = uniform() < up(i)
    const x = Float64Array.from({ length: width }, normal)
    if (heavy) {
      const spread = Math.sqrt((normal() ** 2 + normal() ** 2 + normal() ** 2) / 3)
      for (let j = 0; j < width; j++) x[j]! /= spread
    }
    const shift = (label ? 0.5 : -0.5) * separation
    x[0]! += shift * Math.cos(angle(i))
    x[1]! += shift * Math.sin(angle(i))
    if (!mixed) return [x, label]
    const dot = (row: Float64Array) => row.reduce((sum, c, j) => sum + c * x[j]!, 0)
    return [Float64Array.from(mixing, (row, j) => dot(row) * scales[j]! + offsets[j]!), label]
  })
}

/** Twelve clusters of prompts, from one that gets a tenth of thumbs-up to one that gets nine tenths. */
function topics({ width, seed, count, held }: { width: number; seed: number; count: number; held: number }): Stream {
  const { uniform, normal } = randomOf(seed)
  const centres = Array.from({ length: 12 }, () => Float64Array.from({ length: width }, () => 0.5 * normal()))
  return streamOf(width, count, held, () => {
    const topic = Math.floor(uniform() * centres.length)
    const label = uniform() < 0.1 + (0.8 * topic) / (centres.length - 1)
    return [centres[topic]!.map((value) => value + normal()), label]
  })
}

function streamOf(width: number, count: number, held: number, draw: (i: number) => [Float64Array, boolean]): Stream {
  const embeddings = new Float64Array((count + held) * width)
  const labels = new Uint8Array(count + held)
  for (let i = 0; i < labels.length; i++) {
    const [x, label] = draw(i)
    embeddings.set(x, i * width)
    labels[i] = label ? 1 : 0
  }
  return { width, count, embeddings, labels }
}
