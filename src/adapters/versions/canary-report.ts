import { parseStored } from './parse-stored.js'

/** What has become of a canary. `open`: its test goes on. `ended`: by a person, or because live is another version now. */
export const CANARY_OUTCOMES = ['open', 'promoted', 'worse', 'undecided', 'ended'] as const
export type CanaryOutcome = (typeof CANARY_OUTCOMES)[number]

/** The votes of one arm. */
export interface ArmReport {
  readonly votes: number
  readonly users: number
  /** Null without votes. */
  readonly up_ratio: number | null
}

/** `canary.json`: the evidence of the test of a version. */
export interface CanaryReport {
  readonly version: string
  /** The live version that it is compared with. */
  readonly against: string
  /** When it began, and when this was written; RFC 3339. */
  readonly started: string
  readonly updated: string
  readonly outcome: CanaryOutcome
  /** The votes show that it is not worse by more than the margin. */
  readonly passed: boolean
  readonly canary: ArmReport
  readonly live: ArmReport
  /** Thumbs-up rate of the canary less that of live, with its interval; null while too few users have voted. */
  readonly difference: number | null
  readonly low: number | null
  readonly high: number | null
  readonly margin: number
  readonly alpha: number
  readonly min_votes: number
  /** How often it was looked at with new votes. */
  readonly looks: number
}

export const CANARY_REPORT = 'canary.json'

/** Null for anything but a report. */
export const parseCanaryReport = (text: string | null): CanaryReport | null =>
  parseStored<CanaryReport>(text, ({ outcome }) => (CANARY_OUTCOMES as readonly unknown[]).includes(outcome))
