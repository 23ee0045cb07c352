import { sigmoid, softplus } from './logistic.js'
import { readTensor, type SavedTensors } from './tensors.js'

/** How the classifier does on prompts that it had not learnt from; null until both classes have been predicted. */
export interface PredictionHealth {
  /** Balanced log-loss ½ (mean₊ + mean₋), nats; ln 2 is chance. */
  readonly logLoss: number | null
  /** Probability that a thumbs-up has a larger p than a thumbs-down, ties ½. */
  readonly auc: number | null
  /** Expected calibration error in ten bins of p, both classes weighing the same: 0 is calibrated. */
  readonly calibrationError: number | null
  /** Mean of p(1|x) / p(0|x) over thumbs-down, before clamping; 1 if p is calibrated and the classes overlap. */
  readonly rawDensityRatioMean: number | null
}

/** The newest predictions of each class that are kept. */
const WINDOW = 512
const BINS = 10

/** The record of predictions made before their labels were known: the last 512 logits of each class. */
export class PredictionRecord {
  private ups: number[] = []
  private downs: number[] = []

  add(logit: number, label: boolean): void {
    const kept = label ? this.ups : this.downs
    kept.push(logit)
    if (kept.length > WINDOW) kept.shift()
  }

  health(): PredictionHealth {
    return healthOf(this.ups, this.downs)
  }

  /** Mean of `value` over the logits of thumbs-down; null if there are fewer than `least`. */
  downMean(value: (logit: number) => number, least: number): number | null {
    return this.downs.length < least ? null : meanOf(this.downs, value)
  }

  tensors(): SavedTensors {
    return { ups: Float64Array.from(this.ups), downs: Float64Array.from(this.downs) }
  }

  restore(tensors: SavedTensors): void {
    this.ups = [...readTensor(tensors, 'ups')]
    this.downs = [...readTensor(tensors, 'downs')]
  }
}

/** @param ups, downs  logits of the two classes, each predicted before its label was known */
export function healthOf(ups: readonly number[], downs: readonly number[]): PredictionHealth {
  if (ups.length === 0 || downs.length === 0)
    return { logLoss: null, auc: null, calibrationError: null, rawDensityRatioMean: null }
  return {
    logLoss: 0.5 * (meanOf(ups, (logit) => softplus(-logit)) + meanOf(downs, softplus)),
    auc: aucOf(ups, downs),
    calibrationError: calibrationErrorOf(ups, downs),
    rawDensityRatioMean: meanOf(downs, Math.exp),
  }
}

const meanOf = (logits: readonly number[], value: (logit: number) => number): number =>
  logits.reduce((sum, logit) => sum + value(logit), 0) / logits.length

/** Mann and Whitney's U over the number of pairs. */
function aucOf(ups: readonly number[], downs: readonly number[]): number {
  const below = Float64Array.from(downs).sort()
  let wins = 0
  for (const up of ups) wins += 0.5 * (countBelow(below, up, false) + countBelow(below, up, true))
  return wins / (ups.length * downs.length)
}

/** How many of the sorted values are < x, or ≤ x. */
function countBelow(sorted: Float64Array, x: number, orEqual: boolean): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < x || (orEqual && sorted[middle]! === x)) low = middle + 1
    else high = middle
  }
  return low
}

/** Σ over bins of p of the share in it, times |mean p − share of thumbs-up|. */
function calibrationErrorOf(ups: readonly number[], downs: readonly number[]): number {
  return reliability(ups, downs).reduce((sum, { share, predicted, observed }) => {
    return sum + share * Math.abs(predicted - observed)
  }, 0)
}

export interface ReliabilityBin {
  /** Share of the predictions in it, both classes weighing ½. */
  readonly share: number
  /** Mean p of them. */
  readonly predicted: number
  /** Share of thumbs-up among them. */
  readonly observed: number
}

/** Bins of p that hold predictions, ten of equal width; thumbs-up and thumbs-down weigh ½ in all. */
export function reliability(ups: readonly number[], downs: readonly number[]): readonly ReliabilityBin[] {
  const bins = Array.from({ length: BINS }, () => ({ up: 0, down: 0, p: 0 }))
  for (const [logits, label] of [
    [ups, true],
    [downs, false],
  ] as const) {
    const weight = 0.5 / logits.length
    for (const logit of logits) {
      const p = sigmoid(logit)
      const bin = bins[Math.min(BINS - 1, Math.floor(p * BINS))]!
      bin[label ? 'up' : 'down'] += weight
      bin.p += weight * p
    }
  }
  return bins
    .filter(({ up, down }) => up + down > 0)
    .map(({ up, down, p }) => ({ share: up + down, predicted: p / (up + down), observed: up / (up + down) }))
}
