/** What the registry knows of `gate.json`, the report of the gate on a version. */
export interface StoredGateReport {
  readonly version: string
  /** Only `passed` lets a version become live by itself. */
  readonly outcome: 'passed' | 'refused' | 'error'
  readonly checks?: readonly StoredCheck[]
}

/** One check of a report; what a check does not have is null. */
export interface StoredCheck {
  readonly name: string
  readonly outcome: string
  readonly value: number | null
  /** Ends of the 95 % interval of the value. */
  readonly low: number | null
  readonly high: number | null
  readonly bound: number | null
  readonly detail: string | null
}

export const GATE_REPORT = 'gate.json'

/** Null for anything but a report: what cannot be read has not passed anything. */
export function parseGateReport(text: string | null): StoredGateReport | null {
  if (text === null) return null
  try {
    const report = JSON.parse(text) as StoredGateReport | null
    return report !== null && OUTCOMES.includes(report.outcome) ? report : null
  } catch {
    return null
  }
}

const OUTCOMES: readonly unknown[] = ['passed', 'refused', 'error']
