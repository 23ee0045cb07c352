import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import type { TextService } from '../text/text-process.js'
import { type Golden, readGolden } from './golden.js'
import { type Probe, readProbe, requireRows } from './probe.js'

export interface QuestionParts {
  readonly config: Pick<Config, 'gate'>
  /** null if the model has no tokenizer. */
  readonly text: TextService | null
  readonly vocabSize: number
  /** Longest event, in tokens. */
  readonly maxLength: number
}

/** What a model is asked: the files of `gate.probes` and `gate.golden`, tokenised. */
export interface Questions {
  readonly probes: readonly AskedProbe[]
  /** Empty without a tokenizer. */
  readonly golden: readonly Golden[]
}

export interface AskedProbe {
  readonly probe: Probe
  /** It is skipped if the base could not have written the chosen answers. */
  readonly onlyIfSpoken: boolean
}

/**
 * @throws PAIRS_INVALID and GATE_GOLDEN_INVALID with file:line, GATE_PROBE_SHORT, FILE_UNREADABLE,
 *   TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING
 */
export async function readQuestions(parts: QuestionParts): Promise<Questions> {
  const { config, text, maxLength } = parts
  const probes = config.gate.probes.map(async (path) =>
    (await probesOf(path, parts)).map((probe) => ({ probe, onlyIfSpoken: path === SHIPPED })),
  )
  const golden = config.gate.golden.map(async (path) => {
    if (text === null) throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'golden prompts are text', { place: path })
    return readGolden(path, text, maxLength)
  })
  return { probes: (await Promise.all(probes)).flat(), golden: await Promise.all(golden) }
}

const SHIPPED = 'shipped'
const SHIPPED_PROBES = fileURLToPath(new URL('./probes', import.meta.url))

async function probesOf(path: string, parts: QuestionParts): Promise<readonly Probe[]> {
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
