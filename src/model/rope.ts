/** How the rotary frequencies are scaled for longer contexts, as transformers does it. */
export type RopeScaling =
  | {
      readonly kind: 'linear'
      readonly factor: number
    }
  | {
      /** `_compute_llama3_parameters` */
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalMaxPositions: number
    }

/** Angular frequency of each pair of channels, in radians per position: θ^(−2i/d), i < d/2. */
export function ropeFrequencies(headDim: number, theta: number, scaling: RopeScaling | null): Float64Array {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim))
  if (scaling === null) return frequencies
  if (scaling.kind === 'linear') return frequencies.map((frequency) => frequency / scaling.factor)
  return frequencies.map((frequency) => scaled(frequency, scaling))
}

function scaled(frequency: number, s: RopeScaling & { readonly kind: 'llama3' }): number {
  const wavelength = (2 * Math.PI) / frequency
  // in this order: the bounds may cross
  if (wavelength > s.originalMaxPositions / s.lowFreqFactor) return frequency / s.factor
  if (wavelength < s.originalMaxPositions / s.highFreqFactor) return frequency
  const smooth = (s.originalMaxPositions / wavelength - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor)
  return ((1 - smooth) * frequency) / s.factor + smooth * frequency
}

/** Cosines and sines of the angles that positions are rotated by, f32[positions, d/2] each. */
export interface Rotations {
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/** Of the positions from 0 on. Angles are in f64: those of far positions have few digits left in f32. */
export function rotationsOf(frequencies: Float64Array, positions: number): Rotations {
  const half = frequencies.length
  const [cos, sin] = [new Float32Array(positions * half), new Float32Array(positions * half)]
  for (let position = 0, i = 0; position < positions; position++) {
    for (const frequency of frequencies) {
      const angle = position * frequency
      cos[i] = Math.cos(angle)
      sin[i++] = Math.sin(angle)
    }
  }
  return { cos, sin }
}
