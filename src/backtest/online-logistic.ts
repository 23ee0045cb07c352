/** A vote that the regression has learnt. */
interface Known {
  readonly x: number
  readonly label: boolean
  readonly weight: number
}

/** It is fitted again once it knows a 64th more than at the last fit. */
const GROWTH = 64
const STEPS = 50
const TOLERANCE = 1e-12

/**
 * Logistic regression on one number, fitted on all votes so far: the minimum of ½ s² + Σ a log(1 + exp(∓(s x + b))) over
 * slope s and intercept b, x being standardised over those votes, as scikit-learn's `StandardScaler` and
 * `LogisticRegression(C=1)` do. It turns whatever a predictor sorts votes by into
 * a label, for all predictors alike.
 */
export class OnlineLogistic {
  readonly #known: Known[] = []
  #slope = 0
  #intercept = 0
  #fitted = 0
  #mean = 0
  #deviation = 1

  /** Log odds of a thumbs-up; before both labels are known, those of the majority with one vote of each added. */
  logit(x: number): number {
    return this.#fitted === 0 ? majorityLogit(this.#known) : this.#slope * this.#standard(x) + this.#intercept
  }

  learn(votes: readonly Known[]): void {
    this.#known.push(...votes)
    const hasBoth = [true, false].every((each) => this.#known.some(({ label }) => label === each))
    if (hasBoth && this.#known.length >= this.#fitted + Math.max(1, this.#fitted / GROWTH)) this.#fit()
  }

  /** Newton's method from the last fit, halving steps that go up. */
  #fit(): void {
    this.#standardise()
    let [slope, intercept] = [this.#slope, this.#intercept]
    let loss = this.#loss(slope, intercept)
    for (let step = 0; step < STEPS; step++) {
      const [ds, db] = this.#direction(slope, intercept)
      let size = 1
      let next = this.#loss(slope - ds, intercept - db)
      while (next > loss && size > 1e-6) {
        size /= 2
        next = this.#loss(slope - size * ds, intercept - size * db)
      }
      slope -= size * ds
      intercept -= size * db
      const isDone = loss - next < TOLERANCE * loss
      loss = next
      if (isDone) break
    }
    this.#slope = slope
    this.#intercept = intercept
    this.#fitted = this.#known.length
  }

  #standardise(): void {
    const count = this.#known.length
    this.#mean = this.#known.reduce((sum, { x }) => sum + x, 0) / count
    const variance = this.#known.reduce((sum, { x }) => sum + (x - this.#mean) ** 2, 0) / count
    this.#deviation = variance > 0 ? Math.sqrt(variance) : 1
  }

  #standard(x: number): number {
    return (x - this.#mean) / this.#deviation
  }

  #loss(slope: number, intercept: number): number {
    const sum = this.#known.reduce((total, { x, label, weight }) => {
      const z = slope * this.#standard(x) + intercept
      return total + weight * softplus(label ? -z : z)
    }, 0)
    return sum + slope ** 2 / 2
  }

  /** Inverse Hessian times gradient. */
  #direction(slope: number, intercept: number): readonly [number, number] {
    let [gs, gb, ss, sb, bb] = [slope, 0, 1, 0, 1e-12]
    for (const { x: raw, label, weight } of this.#known) {
      const x = this.#standard(raw)
      const p = 1 / (1 + Math.exp(-(slope * x + intercept)))
      const error = weight * (p - (label ? 1 : 0))
      const curvature = weight * p * (1 - p)
      gs += error * x
      gb += error
      ss += curvature * x * x
      sb += curvature * x
      bb += curvature
    }
    const determinant = ss * bb - sb * sb
    return [(bb * gs - sb * gb) / determinant, (ss * gb - sb * gs) / determinant]
  }
}

/** log (ups + 1)/(downs + 1), by weight. */
export function majorityLogit(votes: readonly Omit<Known, 'x'>[]): number {
  const sum = (wanted: boolean) =>
    votes.reduce((total, { label, weight }) => total + (label === wanted ? weight : 0), 0)
  return Math.log((sum(true) + 1) / (sum(false) + 1))
}

/** log(1 + eᶻ), without overflow. */
const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))
