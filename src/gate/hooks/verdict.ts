import { BcodError } from '../../errors.js'
import { printableLine } from '../../printable.js'
import { type Finding, finding, type GateSubject } from '../check.js'

/** What a hook is given, as JSON: on its standard input, or as the body of the request. */
export interface HookRequest {
  readonly type: 'bcod.gate.v1'
  /** The check's name, such as `exec:safety`. */
  readonly check: string
  /** Directory of the base model, as bcod sees it. */
  readonly model: string
  readonly candidate: HookVersion
  /** null before anything was live. */
  readonly live: HookVersion | null
}

interface HookVersion {
  readonly version: string
  /** A PEFT adapter, as bcod sees it. */
  readonly directory: string
}

export const hookRequest = (check: string, model: string, { candidate, live }: GateSubject): HookRequest => {
  const named = ({ version, directory }: HookVersion): HookVersion => ({ version, directory })
  return { type: 'bcod.gate.v1', check, model, candidate: named(candidate), live: live && named(live) }
}

/** Longest answer of a hook, in bytes. */
export const MAX_ANSWER = 65_536
const MAX_DETAIL = 500

/**
 * Reads a hook's answer: `{"outcome": "passed" | "refused"}`, and if it has them `value`, `low`, `high`, `bound`
 * (numbers), `reference` and `detail` (texts).
 *
 * @param place  the check's name
 * @throws GATE_HOOK_INVALID
 */
export function readVerdict(answer: string, place: string): Finding {
  const invalid = (message: string) => new BcodError('GATE_HOOK_INVALID', message, { place })
  let given: unknown
  try {
    given = JSON.parse(answer)
  } catch {
    throw invalid(answer.trim() === '' ? 'the answer is empty' : 'the answer is not JSON')
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw invalid('the answer is not a JSON object')
  const verdict = given as Readonly<Record<string, unknown>>
  const { outcome } = verdict
  if (outcome !== 'passed' && outcome !== 'refused') throw invalid('outcome is neither "passed" nor "refused"')
  const field = <T>(name: string, type: 'number' | 'string'): T | null => {
    const value = verdict[name] ?? null
    if (value === null || typeof value === type) return value as T | null
    throw invalid(`${name} is not a ${type}`)
  }
  const number = (name: string) => field<number>(name, 'number')
  const text = (name: string) => {
    const value = field<string>(name, 'string')
    return value && printableLine(value.slice(0, MAX_DETAIL))
  }
  return finding({
    ...{ outcome, value: number('value'), low: number('low'), high: number('high'), bound: number('bound') },
    ...{ reference: text('reference'), detail: text('detail') },
  })
}
