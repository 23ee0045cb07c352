/** 95 % interval of a mean; null where one value has none. */
export interface MeanInterval {
  readonly mean: number
  readonly low: number | null
  readonly high: number | null
}
export function mean(values: readonly number[]): number
export function median(values: readonly number[]): number
export function quantile(values: readonly number[], share: number): number
export function pairedT(differences: readonly number[]): MeanInterval
export function bootstrap(
  differences: readonly (readonly number[])[],
  random: () => number,
): { readonly low: number; readonly high: number }
