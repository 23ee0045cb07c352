/** What the registry knows of `gate.json`, the report of the gate on a version. */
export interface StoredGateReport {
  readonly version: string
  /** Only `passed` lets a version become live by itself. */
  readonly outcome: 'passed' | 'refused' | 'error'
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
