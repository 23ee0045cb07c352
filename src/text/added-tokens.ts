import { type JsonFile, readJsonFile } from './files.js'

/** A token that the tokenizer finds in a text before anything else. */
export interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
  /** It is looked for in the normalised text. */
  readonly normalized: boolean
}

/** A token as a file declares it. Flags that are left out have the defaults of the tokenizers library. */
type Declared = Partial<AddedToken> & Pick<AddedToken, 'content'>

/** What the files beside `tokenizer.json` say of the tokenizer's tokens. */
export interface DeclaredTokens {
  /** Special tokens by name, such as `bos_token`: a chat template may use the names. */
  readonly named: ReadonlyMap<string, Declared>
  /** Special tokens without a name. */
  readonly extra: readonly Declared[]
  /** Tokens by id, with flags that count for more than those in `tokenizer.json`. */
  readonly decoder: readonly Declared[]
  /** Tokens that are neither named nor extra, nor special. */
  readonly plain: readonly Declared[]
}

/** The names that every tokenizer of transformers has, in its order. */
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token']

/**
 * Reads the declared tokens as transformers 5 does (`PreTrainedTokenizerBase._from_pretrained`). The older files
 * `special_tokens_map.json`, which then has the last word on names, and `added_tokens.json` count only if
 * `tokenizer_config.json` has no `added_tokens_decoder`.
 */
export function readDeclaredTokens(modelDir: string, config: JsonFile): DeclaredTokens {
  const { added_tokens_decoder: decoder } = config
  if (isObject(decoder)) return { ...specialTokens(config, {}), decoder: byId(decoder), plain: [] }
  const special = specialTokens(config, readJsonFile(modelDir, 'special_tokens_map.json') ?? {})
  const plain = byIdOf(readJsonFile(modelDir, 'added_tokens.json') ?? {})
  return { ...special, decoder: [], plain }
}

/**
 * `tokenizer.json` with the declared tokens among its own. A text of the vocabulary keeps its id, others get the ids
 * behind the last one, in transformers' order and whatever ids the files give.
 */
export function withDeclaredTokens(file: JsonFile, { named, extra, decoder, plain }: DeclaredTokens): JsonFile {
  const own = (Array.isArray(file.added_tokens) ? file.added_tokens : []) as readonly AddedToken[]
  const tokens = new Map<string, Partial<AddedToken>>(own.map((token) => [token.content, token]))
  for (const token of decoder) tokens.set(token.content, { ...tokens.get(token.content), ...token })
  for (const token of [...plain, ...named.values(), ...extra])
    if (!tokens.has(token.content)) tokens.set(token.content, token)
  for (const { content } of [...named.values(), ...extra])
    tokens.set(content, { ...tokens.get(content), special: true })
  const vocabulary = vocabularyOf(file)
  let next = Math.max(vocabulary.size, ...own.map(({ id }) => id + 1))
  const numbered = [...tokens].map(([content, token]) => ({
    ...token,
    id: token.id ?? vocabulary.get(content) ?? next++,
  }))
  return { ...file, added_tokens: numbered }
}

/** The named tokens in transformers' order, and the extra ones. */
function specialTokens(config: JsonFile, older: JsonFile): Pick<DeclaredTokens, 'named' | 'extra'> {
  const extra = extraTokens(config) ?? extraTokens(older) ?? []
  const byName = isObject(extra) ? extra : {}
  const values = { ...config, ...older, ...byName }
  const further = Object.keys(values).filter((name) => name.endsWith('_token') && !NAMES.includes(name))
  const names = [...NAMES, ...new Set([...further, ...Object.keys(byName)])]
  return {
    named: new Map(names.flatMap((name) => declared(values[name]).map((token) => [name, token] as const))),
    extra: Array.isArray(extra) ? extra.flatMap(declared) : [],
  }
}

/** A list, or an object of names; null if the file gives neither. */
function extraTokens(file: JsonFile): unknown[] | JsonFile | null {
  const { extra_special_tokens: extra, additional_special_tokens: additional } = file
  for (const found of [extra, additional]) {
    if (Array.isArray(found) && found.length > 0) return found
    if (isObject(found) && Object.keys(found).length > 0) return found
  }
  return null
}

/** A token as a text or, with flags, as an object; none for anything else. */
function declared(value: unknown): Declared[] {
  if (typeof value === 'string') return value === '' ? [] : [{ content: value, special: true }]
  if (!isObject(value) || typeof value.content !== 'string' || value.content === '') return []
  const { id: _, ...flags } = value
  return [flags as unknown as Declared]
}

/** `added_tokens_decoder`, in the order of its ids. */
const byId = (decoder: JsonFile): Declared[] =>
  Object.entries(decoder)
    .sort(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, token]) => declared(token))

/** `added_tokens.json`, ids by text, in the order of the ids. */
const byIdOf = (ids: JsonFile): Declared[] =>
  Object.entries(ids)
    .sort(([, a], [, b]) => Number(a) - Number(b))
    .map(([content]) => ({ content, special: false }))

/** Ids by text; a Unigram model has a list. */
function vocabularyOf({ model }: JsonFile): ReadonlyMap<string, number> {
  const vocabulary = isObject(model) ? model.vocab : undefined
  if (Array.isArray(vocabulary)) return new Map(vocabulary.map(([text], id) => [text as string, id]))
  return new Map(isObject(vocabulary) ? (Object.entries(vocabulary) as [string, number][]) : [])
}

const isObject = (value: unknown): value is JsonFile =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
