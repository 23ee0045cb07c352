import { referenceDirectory } from '../adapters/storage/held-versions.js'
import { openRegistryFiles } from '../adapters/storage/open-files.js'
import type { Adapter } from '../adapters/weights/adapter.js'
import { readAdapter } from '../adapters/weights/peft.js'
import { journalPath } from '../checkpoint/journal.js'
import { readJournalEnd } from '../checkpoint/journal-reader.js'
import type { Config } from '../config/config.js'
import type { HeldOutVote } from '../events/types.js'
import type { GivenOptions } from '../learner/open-model.js'
import type { LearnerInfo } from '../learner/protocol.js'
import type { TextService } from '../text/text-process.js'
import type { TokenPair } from '../text/tokenise-pairs.js'
import type { Check, GateVersion } from './check.js'
import { checkpointedVotes } from './checkpointed-votes.js'
import { checksOf } from './checks.js'
import { type Comparison, compareVersions } from './comparison.js'
import { type LearnerCall, LearnerModel } from './learner-model.js'
import { probePrompts } from './probe-prompts.js'
import { readQuestions } from './questions.js'
import { RecentCompletions } from './recent-completions.js'

/** The gate of a process: what it asks, and whom. */
export interface OpenGate {
  readonly checks: readonly Check[]
  readonly model: LearnerModel
  readonly recent: RecentCompletions
  /** Asks two versions the gate's questions; what is not known when the signal is aborted is left out. */
  readonly compare: (a: GateVersion, b: GateVersion, signal: AbortSignal) => Promise<Comparison>
}

export interface GateParts {
  readonly config: Config
  readonly learner: {
    readonly call: LearnerCall
    readonly info: Pick<LearnerInfo, 'vocabSize' | 'maxLength'>
  }
  readonly text: TextService | null
  /** Directory of the checkpoints, with their journal; null for none. */
  readonly checkpoints: string | null
  /** The held-out votes that are kept. @default those of the newest checkpoint */
  readonly heldOut?: () => readonly HeldOutVote[]
  /** The learner answers although `gate.golden` is empty: `compare` asks prompts of the probes. @default false */
  readonly answers?: boolean
  /** Whether hooks may write to standard error. */
  readonly showErrors: boolean
}

/** Golden prompts that a place answers at once. */
const ANSWER_ROWS = 4

/** What a learner needs for the gate of this configuration. */
export const givenFor = ({ gate }: Pick<Config, 'gate'>, answers = gate.golden.length > 0): GivenOptions => ({
  divergence: gate.maxKlBase > 0 || gate.maxKlLive > 0,
  answerRows: answers ? ANSWER_ROWS : 0,
})

/** @throws what `readQuestions` throws */
export async function openGate(parts: GateParts): Promise<OpenGate> {
  const { config, learner, text, checkpoints, showErrors } = parts
  const recent = new RecentCompletions(async () => (checkpoints === null ? [] : journaled(checkpoints)))
  const { vocabSize, maxLength } = learner.info
  const questions = await readQuestions({ config, text, vocabSize, maxLength })
  const checks = checksOf(questions, {
    ...{ config, text, vocabSize, maxLength, showErrors },
    recent: () => recent.pairs(),
    heldOut: async () =>
      parts.heldOut?.() ?? (checkpoints === null ? [] : checkpointedVotes(checkpoints, config.eval, maxLength)),
  })
  const call: LearnerCall = (name, ...args) => learner.call(name, ...args)
  // answers are asked for as text only
  const endIds = text?.description.endIds ?? new Set<number>()
  const reference = await referenceOf(config)
  const options = { call, tokens: config.batch.tokens, rows: ANSWER_ROWS, endIds, reference }
  // of its own: a gate under way keeps what it has scored
  const asksProbes = parts.answers === true && questions.golden.length === 0
  const asked = asksProbes ? { ...questions, golden: probePrompts(questions, maxLength) } : questions
  const compare: OpenGate['compare'] = (a, b, signal) =>
    compareVersions(asked, new LearnerModel(options).of(b, a, signal), text, signal)
  return { checks, model: new LearnerModel(options), recent, compare }
}

/** @throws ADAPTER_INVALID, ADAPTER_UNSUPPORTED, SAFETENSORS_INVALID */
async function referenceOf({ model, adapters }: Pick<Config, 'model' | 'adapters'>): Promise<Adapter | null> {
  if (model.reference === 'base') return null
  const files = openRegistryFiles({ ...adapters, dir: adapters.dir as string })
  return readAdapter(await referenceDirectory(model.reference, files))
}

/** What the journal holds of the last steps, newest first. */
async function journaled(directory: string): Promise<readonly TokenPair[]> {
  const lines = await readJournalEnd(journalPath(directory))
  return lines.flatMap(({ events }) =>
    [...events]
      .reverse()
      .flatMap(({ prompt_tokens: promptTokens, completion_tokens: completionTokens }) =>
        promptTokens && completionTokens ? [{ promptTokens, completionTokens }] : [],
      ),
  )
}
