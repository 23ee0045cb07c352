import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Execution } from './candidates.js'
import type { Round, Trial } from './decision.js'
import { writeTrialModel } from './trial-model.js'
import { TrialEnded, TrialProcess } from './trial-process.js'
import type { TrialConfig } from './trial-session.js'

/** The rounds of a candidate take about this long, and there are at least and at most so many. */
const ROUNDS_MS = 5_000
const [FEWEST_ROUNDS, MOST_ROUNDS] = [3, 7]
/** Whoever takes this many times as long as the rule's in the first round has no second one. */
const HOPELESS = 1.2
/** What is not known after this is not waited for. */
const LIMIT_MS = 600_000

/**
 * Tries candidates on a model as wide as that of `config` with few layers, each in a process of its own and in turn with
 * the rule's, so that what else the machine does strikes both. There are two processes at a time: together they take less
 * memory than the learner will.
 *
 * @param executions  that of the rule first
 * @param signal      ends it: what was not measured counts as failed
 * @returns null on a GPU
 */
export async function runTrials(
  config: TrialConfig,
  executions: readonly Execution[],
  signal: AbortSignal,
): Promise<readonly Trial[] | null> {
  const { model, lora, bco, optimizer, batch, limits, seed } = config
  const directory = mkdtempSync(join(tmpdir(), 'bcod-trial-'))
  const own = { model: { ...model, path: directory }, lora, bco, optimizer, batch, limits, seed }
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
  const start = (execution: Execution) => new TrialProcess({ config: own, execution }, limit)
  const [ruleExecution, ...others] = executions
  const rule = start(ruleExecution!)
  try {
    writeTrialModel(directory, model.path as string)
    if (await rule.load()) return null
    // the first run compiles
    await rule.run()
    const trials: Trial[] = [{ execution: ruleExecution!, rounds: [] }]
    for (const execution of others) trials.push({ execution, rounds: await compare(rule, start(execution)) })
    return trials
  } catch (error) {
    if (error instanceof TrialEnded) return executions.map((execution) => ({ execution, rounds: null }))
    throw error
  } finally {
    rule.end()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** @returns null if the candidate cannot be run @throws TrialEnded if the rule's ends */
async function compare(rule: TrialProcess, candidate: TrialProcess): Promise<readonly Round[] | null> {
  const rounds: Round[] = []
  try {
    await candidate.load()
    await candidate.run()
    for (let count = 1; rounds.length < count; ) {
      const ruleMs = await rule.run()
      const ms = await candidate.run()
      rounds.push({ ms, ruleMs })
      if (rounds.length === 1 && ms <= HOPELESS * ruleMs)
        count = Math.max(FEWEST_ROUNDS, Math.min(MOST_ROUNDS, Math.floor(ROUNDS_MS / (ms + ruleMs))))
    }
    return rounds
  } catch (error) {
    if (error instanceof TrialEnded && error.trial === candidate) return null
    throw error
  } finally {
    candidate.end()
  }
}
