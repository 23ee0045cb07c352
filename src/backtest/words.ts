import type { Evidence } from './evidence.js'
import type { Estimate } from './separation.js'
import { LEAST_GAIN } from './verdict.js'

/** The verdict in plain sentences: what it means, and what may explain it. */
export function verdictWords(report: Evidence): readonly string[] {
  const { verdict, votes_missing: missing, best_baseline: against, explained_by: explained, gains } = report
  const gain = against === null ? null : gains[against]
  const compared = against === null ? '' : ` Against ${NAMES[against]} the gain in AUC is ${interval(gain)}.`
  const meaning = {
    'worth it': 'The model learns to tell good answers from bad ones, better than every baseline.',
    'not yet': `These votes do not decide it. About ${count(missing)} more of their kind should.`,
    no: `Any gain over the best baseline is below ${LEAST_GAIN} of AUC.`,
  }[verdict]
  return [
    `${meaning}${compared}`,
    ...explained.map((what) =>
      what === 'length'
        ? `Only length explains it: ${report.auc_length_matched === null ? 'answers of like length have like labels' : 'among answers of like length the model knows no more than chance'}.`
        : `It hangs on ${what}: without those votes it is not certain any more.`,
    ),
  ]
}

/** What readers call each predictor. */
export const NAMES = {
  model: 'the model',
  majority: 'the majority',
  length: 'the length of the answer',
  prompt: 'the prompt alone',
} as const

/** `0.712 (0.650 … 0.774)` */
export function interval(estimate: Estimate | null): string {
  if (estimate === null) return '–'
  const { value, low, high } = estimate
  return low === null || high === null ? digits(value) : `${digits(value)} (${digits(low)} … ${digits(high)})`
}

export const digits = (value: number | null): string =>
  value === null
    ? '–'
    : value
        .toFixed(3)
        .replace(/^-0\.000$/, '0.000')
        .replace('-', '−')

export const percent = (share: number): string => `${(100 * share).toFixed(0)} %`

export const count = (value: number | null): string => (value === null ? '–' : value.toLocaleString('en'))
