/** Llama 3's scaling of the rotary frequencies (transformers, `_compute_llama3_parameters`). */
export interface RopeScaling {
  readonly factor: number
  readonly lowFreqFactor: number
  readonly highFreqFactor: number
  readonly originalMaxPositions: number
}

/** Angular frequency of each pair of channels, in radians per position: θ^(−2i/d), i < d/2. */
export function ropeFrequencies(headDim: number, theta: number, scaling: RopeScaling | null): Float64Array {
  const frequencies = Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim))
  return scaling === null ? frequencies : frequencies.map((frequency) => scaled(frequency, scaling))
}

function scaled(frequency: number, s: RopeScaling): number {
  const wavelength = (2 * Math.PI) / frequency
  if (wavelength < s.originalMaxPositions / s.highFreqFactor) return frequency
  if (wavelength > s.originalMaxPositions / s.lowFreqFactor) return frequency / s.factor
  const smooth = (s.originalMaxPositions / wavelength - s.lowFreqFactor) / (s.highFreqFactor - s.lowFreqFactor)
  return ((1 - smooth) * frequency) / s.factor + smooth * frequency
}
