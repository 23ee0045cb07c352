import type { Config } from '../config/config.js'
import type { HeldOutVote } from '../events/types.js'
import type { TextService } from '../text/text-process.js'
import type { TokenPair } from '../text/tokenise-pairs.js'
import type { Check } from './check.js'
import { divergenceCheck } from './divergence.js'
import { finiteCheck } from './finite.js'
import { goldenCheck } from './golden.js'
import { heldOutChecks } from './held-out.js'
import { execCheck } from './hooks/exec.js'
import { webhookCheck } from './hooks/webhook.js'
import { probeCheck } from './probe.js'
import { type QuestionParts, type Questions, readQuestions } from './questions.js'
import { updateNormCheck } from './update-norm.js'

export interface CheckParts extends QuestionParts {
  readonly config: Pick<Config, 'gate' | 'model' | 'eval' | 'bco'>
  /** Prompts and completions that have trained lately. */
  readonly recent: () => Promise<readonly TokenPair[]>
  /** The held-out votes that are kept. */
  readonly heldOut: () => Promise<readonly HeldOutVote[]>
  /** Whether programs may write to standard error. */
  readonly showErrors: boolean
}

/** The checks that a configuration asks for, the cheapest first. @throws what `readQuestions` throws */
export const gateChecks = async (parts: CheckParts): Promise<readonly Check[]> =>
  checksOf(await readQuestions(parts), parts)

/** The same, with files that are read already. */
export function checksOf({ probes, golden }: Questions, parts: CheckParts): readonly Check[] {
  const { config, recent, text } = parts
  const { gate } = config
  const tolerance = gate.probeTolerance
  return [
    finiteCheck,
    updateNormCheck(gate.maxUpdateNorm),
    ...(gate.maxKlBase > 0 ? [divergenceCheck('base', gate.maxKlBase, recent)] : []),
    ...(gate.maxKlLive > 0 ? [divergenceCheck('live', gate.maxKlLive, recent)] : []),
    ...checksOnVotes(parts),
    ...probes.map(({ probe, onlyIfSpoken }) => probeCheck(probe, { tolerance, onlyIfSpoken })),
    ...golden.map((each) => goldenCheck(each, text as TextService)),
    ...hooks(parts),
  ]
}

function checksOnVotes({ config, heldOut: votes }: CheckParts): readonly Check[] {
  const { holdOutMin: minimum, holdOutRequired: required, tolerance } = config.gate
  return config.eval.holdOut > 0 ? heldOutChecks({ votes, beta: config.bco.beta, minimum, required, tolerance }) : []
}

/** What they need is checked with the configuration. */
function hooks({ config, showErrors }: CheckParts): readonly Check[] {
  const { exec, webhook, timeout } = config.gate
  const model = config.model.path as string
  return [
    ...exec.map(({ name, command }) => execCheck(name, { command, model, timeout, showErrors })),
    ...webhook.map(({ name, url, token }) => webhookCheck(name, { url: url as string, token, model, timeout })),
  ]
}
