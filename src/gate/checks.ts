import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import type { HeldOutVote } from '../events/types.js'
import type { TextService } from '../text/text-process.js'
import type { TokenPair } from '../text/tokenise-pairs.js'
import type { Check } from './check.js'
import { divergenceCheck } from './divergence.js'
import { finiteCheck } from './finite.js'
import { goldenCheck, readGolden } from './golden.js'
import { heldOutChecks } from './held-out.js'
import { execCheck } from './hooks/exec.js'
import { webhookCheck } from './hooks/webhook.js'
import { type Probe, probeCheck, readProbe, requireRows } from './probe.js'
import { updateNormCheck } from './update-norm.js'

export interface CheckParts {
  readonly config: Pick<Config, 'gate' | 'model' | 'eval' | 'bco'>
  /** null if the model has no tokenizer. */
  readonly text: TextService | null
  readonly vocabSize: number
  /** Longest event, in tokens. */
  readonly maxLength: number
  /** Prompts and completions that have trained lately. */
  readonly recent: () => Promise<readonly TokenPair[]>
  /** The held-out votes that are kept. */
  readonly heldOut: () => Promise<readonly HeldOutVote[]>
  /** Whether programs may write to standard error. */
  readonly showErrors: boolean
}

/**
 * The checks that a configuration asks for, the cheapest first. Files are read and tokenised here, once.
 *
 * @throws PAIRS_INVALID and GATE_GOLDEN_INVALID with file:line, GATE_PROBE_SHORT, FILE_UNREADABLE,
 *   TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING
 */
export async function gateChecks(parts: CheckParts): Promise<readonly Check[]> {
  const { config, recent } = parts
  const { gate } = config
  const tolerance = gate.probeTolerance
  const probes = await Promise.all(
    gate.probes.map(async (path) => {
      const onlyIfSpoken = path === SHIPPED
      return (await probesOf(path, parts)).map((probe) => probeCheck(probe, { tolerance, onlyIfSpoken }))
    }),
  )
  return [
    finiteCheck,
    updateNormCheck(gate.maxUpdateNorm),
    ...(gate.maxKlBase > 0 ? [divergenceCheck('base', gate.maxKlBase, recent)] : []),
    ...(gate.maxKlLive > 0 ? [divergenceCheck('live', gate.maxKlLive, recent)] : []),
    ...checksOnVotes(parts),
    ...probes.flat(),
    ...(await goldenChecks(parts)),
    ...hooks(parts),
  ]
}

function checksOnVotes({ config, heldOut: votes }: CheckParts): readonly Check[] {
  const { holdOutMin: minimum, holdOutRequired: required, tolerance } = config.gate
  return config.eval.holdOut > 0 ? heldOutChecks({ votes, beta: config.bco.beta, minimum, required, tolerance }) : []
}

const SHIPPED = 'shipped'
const SHIPPED_PROBES = fileURLToPath(new URL('./probes', import.meta.url))

async function probesOf(path: string, parts: CheckParts): Promise<readonly Probe[]> {
  if (path !== SHIPPED) return [requireRows(await readProbe(path, parts), path)]
  // they are conversations: without a template nobody knows how the model was told one
  if (!parts.text?.description.hasTemplate) return []
  const files = readdirSync(SHIPPED_PROBES).sort()
  try {
    const probes = await Promise.all(files.map((file) => readProbe(join(SHIPPED_PROBES, file), parts)))
    // of a model that takes a few words only, too few are left
    return probes.filter(({ rows }) => rows.length >= 2)
  } catch (error) {
    // such a model trains all the same, on texts and token ids
    if (error instanceof BcodError && UNABLE.includes(error.code)) return []
    throw error
  }
}

/** The template takes no plain exchange, or the tokenizer has ids that the model does not. */
const UNABLE: readonly string[] = ['CHAT_TEMPLATE_FAILED', 'CHAT_TEMPLATE_MISSING', 'TOKENIZE_FAILED']

async function goldenChecks({ config, text, maxLength }: CheckParts): Promise<readonly Check[]> {
  return Promise.all(
    config.gate.golden.map(async (path) => {
      if (text === null) throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'golden prompts are text', { place: path })
      return goldenCheck(await readGolden(path, text, maxLength), text)
    }),
  )
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
