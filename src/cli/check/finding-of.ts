import { BcodError } from '../../errors.js'
import { type Finding, fail } from '../doctor/finding.js'

/** What `check` finds, or the coded error that it ends with as a finding. */
export async function findingOf(name: string, check: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await check()
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return fail(name, error.line, error.remedy)
  }
}
