import type { CheckResult, GateReport } from '../adapters/versions/gate-report.js'
import { BcodError } from '../errors.js'
import { type Check, finding, type GateSubject } from './check.js'

export interface GateOptions {
  /** Told of each check as it ends. */
  readonly checked?: (result: CheckResult) => void
  /** Milliseconds since the epoch. @default the wall clock */
  readonly now?: () => number
}

/**
 * Runs every check, also after one has refused: the report names all that is wrong. A candidate passes if no check
 * refuses it and every check could be run.
 *
 * @throws the signal's reason if it is aborted between two checks: there is no report then
 */
export async function runGate(
  checks: readonly Check[],
  subject: GateSubject,
  { checked, now = Date.now }: GateOptions = {},
): Promise<GateReport> {
  const started = now()
  const results: CheckResult[] = []
  for (const check of checks) {
    subject.signal.throwIfAborted()
    const result = await resultOf(check, subject)
    subject.signal.throwIfAborted()
    results.push(result)
    checked?.(result)
  }
  return {
    version: subject.candidate.version,
    parent: subject.live?.version ?? null,
    started: new Date(started).toISOString(),
    seconds: (now() - started) / 1000,
    outcome: outcomeOf(results),
    checks: results,
  }
}

async function resultOf(check: Check, subject: GateSubject): Promise<CheckResult> {
  const { name } = check
  try {
    return { name, ...(await check.run(subject)) }
  } catch (error) {
    // of an error without a code nothing is known that may be shown
    const detail = error instanceof BcodError ? error.line : 'INTERNAL: the check failed'
    return { name, ...finding({ outcome: 'passed', detail }), outcome: 'error' }
  }
}

function outcomeOf(results: readonly CheckResult[]): GateReport['outcome'] {
  if (results.some(({ outcome }) => outcome === 'refused')) return 'refused'
  return results.some(({ outcome }) => outcome === 'error') ? 'error' : 'passed'
}
