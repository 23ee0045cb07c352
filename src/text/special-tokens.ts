import { type JsonFile, readJsonFile } from './files.js'

/** Token texts that the chat template may name, and the ids that begin and end a text. */
export interface SpecialTokens {
  /** `bos_token`, `eos_token`, … as the template sees them. */
  readonly texts: Readonly<Record<string, string>>
  readonly bos: number | null
  /** The end token that is appended to a completion; null where the model names none. */
  readonly eos: number | null
  /** Every id that ends a text; `eos` is one of them. */
  readonly endIds: ReadonlySet<number>
}

/**
 * Collects the special tokens of a model directory. `tokenizer_config.json` comes first, then
 * `special_tokens_map.json` for texts; `generation_config.json` and `config.json` add ids (`eos_token_id` may be a list).
 */
export function readSpecialTokens(
  modelDir: string,
  tokenizerConfig: JsonFile,
  idOf: (token: string) => number | undefined,
): SpecialTokens {
  const texts = { ...tokenTexts(readJsonFile(modelDir, 'special_tokens_map.json')), ...tokenTexts(tokenizerConfig) }
  const configs = [readJsonFile(modelDir, 'generation_config.json'), readJsonFile(modelDir, 'config.json')]
  const ids = (key: string) => configs.flatMap((config) => tokenIds(config?.[key]))
  const idOfText = (text: string | undefined) => (text === undefined ? undefined : idOf(text))
  const eos = idOfText(texts.eos_token) ?? ids('eos_token_id')[0] ?? null
  return {
    texts,
    bos: idOfText(texts.bos_token) ?? ids('bos_token_id')[0] ?? null,
    eos,
    endIds: new Set([...(eos === null ? [] : [eos]), ...ids('eos_token_id')]),
  }
}

/** `"eos_token": "</s>"` or, as older files have it, `{"content": "</s>", …}`. */
function tokenTexts(file: JsonFile | null): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const [key, value] of Object.entries(file ?? {})) {
    if (!key.endsWith('_token')) continue
    const text = typeof value === 'object' && value !== null && 'content' in value ? value.content : value
    if (typeof text === 'string') texts[key] = text
  }
  return texts
}

const tokenIds = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id))
