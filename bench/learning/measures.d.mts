export const measures: {
  readonly accuracy: (margin: number) => number
  readonly log_sigma: (margin: number, beta: number) => number
}
