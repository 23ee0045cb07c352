import type { ClusteredRate } from './clustered-rate.js'

/** A difference of thumbs-up rates with the ends of its interval. */
export interface Difference {
  readonly value: number
  readonly low: number
  readonly high: number
}

export interface SequenceOptions {
  /** The chance that the true difference is ever outside of the interval, however often one looks. */
  readonly alpha: number
  /** The size of difference for which the interval is to be narrow: the standard deviation of the mixture. */
  readonly scale: number
}

/** Fewer users in an arm than this say nothing: their variance is not known well enough. */
export const LEAST_USERS = 30

/**
 * How much larger the thumbs-up rate of one arm is than another's, with an interval that one may look at after every
 * vote: the chance that the true difference is ever outside is α, not α at each look.
 *
 * It is an asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, *Annals of Statistics*, 2024)
 * by Robbins' normal mixture (Howard, Ramdas, McAuliffe and Sekhon, *Annals of Statistics*, 2021, proposition 5), the
 * same that mixture sequential tests invert (Johari, Koomen, Pekelis and Walsh, *Operations Research*, 2022). Its clock
 * is information, 1/V, V being the variance of the difference: that counts what votes of new users and further votes of
 * known ones add alike. With the mixture N(0, scale²) over differences,
 *
 *     half width² = V (1 + V/scale²) · ln((1 + scale²/V) / α²)
 *
 * @returns null with fewer than `LEAST_USERS` users in either arm
 */
export function differenceOf(
  arm: Pick<ClusteredRate, 'users' | 'rate' | 'variance'>,
  other: Pick<ClusteredRate, 'users' | 'rate' | 'variance'>,
  options: SequenceOptions,
): Difference | null {
  if (Math.min(arm.users, other.users) < LEAST_USERS) return null
  const value = (arm.rate as number) - (other.rate as number)
  const half = halfWidth((arm.variance as number) + (other.variance as number), options)
  return { value, low: value - half, high: value + half }
}

/** Half the width of the interval of an estimate with that variance. */
export function halfWidth(variance: number, { alpha, scale }: SequenceOptions): number {
  const share = variance / scale ** 2
  return Math.sqrt(variance * (1 + share) * Math.log((1 + 1 / share) / alpha ** 2))
}
