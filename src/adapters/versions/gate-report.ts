import { parseStored } from './parse-stored.js'

/** `gate.json` of a version: what the gate found. */
export interface GateReport {
  readonly version: string
  /** The version that was live when it was gated; null if there was none. */
  readonly parent: string | null
  /** RFC 3339. */
  readonly started: string
  readonly seconds: number
  /** `refused` if a check refused it, `error` if one could not be run. Only `passed` lets it become live by itself. */
  readonly outcome: 'passed' | 'refused' | 'error'
  readonly checks: readonly CheckResult[]
}

/** One check of a report; what a check does not have is null. */
export interface CheckResult {
  /** Such as `finite` or `probe:flattery`. */
  readonly name: string
  /** `skipped`: there was nothing to compare with; it refuses nothing. `error`: it could not be run. */
  readonly outcome: 'passed' | 'refused' | 'skipped' | 'error'
  readonly value: number | null
  /** Ends of the 95 % interval of `value`. */
  readonly low: number | null
  readonly high: number | null
  /** What was demanded of it, as the configuration has it. */
  readonly bound: number | null
  /** What it is measured against: `base`, or the live version. */
  readonly reference: string | null
  /** For people: never a user's text. */
  readonly detail: string | null
}

/** A report as it is found: another program may have written less. */
export type StoredGateReport = Pick<GateReport, 'version' | 'outcome'> & Partial<GateReport>

export const GATE_REPORT = 'gate.json'

/** Null for anything but a report: what cannot be read has not passed anything. */
export const parseGateReport = (text: string | null): StoredGateReport | null =>
  parseStored<StoredGateReport>(text, ({ outcome }) => OUTCOMES.includes(outcome))

const OUTCOMES: readonly unknown[] = ['passed', 'refused', 'error']
