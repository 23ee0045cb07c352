/** What one user has said: how many votes count, and how many of them are thumbs-up. */
export interface UserVotes {
  readonly votes: number
  readonly ups: number
}

/**
 * The thumbs-up rate of an arm, p = S/M over M votes with S thumbs-up, and the variance of p when the votes of one user
 * go up and down together. Users are the clusters. Only sums are kept, so any change costs the same.
 *
 * With m votes and s thumbs-up of a user, n users and the largest user's share h of all votes, the variance is
 *
 *     n/(n − 1) · Σ (s − p m)² / (M (1 − h))²
 *
 * That is the linearised ratio (Cochran, *Sampling Techniques*, 1977, 6.3) with each residual divided by 1 − h, as the
 * jackknife does with the user's own share (CR3 of Bell and McCaffrey, 2002): at least as large as the jackknife's. It is
 * never less than the binomial variance with one vote of each label added, so that a hundred equal votes prove little.
 */
export class ClusteredRate {
  #users = 0
  #votes = 0
  #ups = 0
  #squaredVotes = 0
  #squaredUps = 0
  #products = 0
  /** How many users have that many votes. */
  readonly #sizes: number[] = []

  get users(): number {
    return this.#users
  }

  get votes(): number {
    return this.#votes
  }

  get ups(): number {
    return this.#ups
  }

  /** Thumbs-up rate; null without votes. */
  get rate(): number | null {
    return this.#votes === 0 ? null : this.#ups / this.#votes
  }

  /** Variance of the rate; null with fewer than two users. */
  get variance(): number | null {
    const users = this.#users
    const votes = this.#votes
    if (users < 2) return null
    const rate = this.#ups / votes
    const residuals = this.#squaredUps - 2 * rate * this.#products + rate * rate * this.#squaredVotes
    const rest = votes - this.#largest
    const smoothed = (this.#ups + 1) / (votes + 2)
    return Math.max(((users / (users - 1)) * Math.max(0, residuals)) / rest ** 2, (smoothed * (1 - smoothed)) / votes)
  }

  /** A user has said something else, or something more, than before. */
  change(before: UserVotes, after: UserVotes): void {
    this.#add(before, -1)
    this.#add(after, 1)
  }

  #add({ votes, ups }: UserVotes, sign: 1 | -1): void {
    if (votes === 0) return
    this.#users += sign
    this.#votes += sign * votes
    this.#ups += sign * ups
    this.#squaredVotes += sign * votes * votes
    this.#squaredUps += sign * ups * ups
    this.#products += sign * votes * ups
    this.#sizes[votes] = (this.#sizes[votes] ?? 0) + sign
    while (this.#sizes.length > 0 && !this.#sizes.at(-1)) this.#sizes.pop()
  }

  /** Votes of the user who has most. */
  get #largest(): number {
    return this.#sizes.length - 1
  }
}
