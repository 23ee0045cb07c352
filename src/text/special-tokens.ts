import type { DeclaredTokens } from './added-tokens.js'
import { readJsonFile } from './files.js'

/** Token texts that the chat template may name, and the ids that begin and end a text. */
export interface SpecialTokens {
  /** `bos_token`, `eos_token`, … as the template sees them. */
  readonly texts: Readonly<Record<string, string>>
  readonly bos: number | null
  /** The end token that is appended to a completion; null if the model names none. */
  readonly eos: number | null
  /** Every id that ends a text; `eos` is one of them. */
  readonly endIds: ReadonlySet<number>
}

/**
 * The special tokens of a model directory: the named ones that are declared; `generation_config.json` and
 * `config.json` add ids (`eos_token_id` may be a list).
 */
export function readSpecialTokens(
  modelDir: string,
  { named }: Pick<DeclaredTokens, 'named'>,
  idOf: (token: string) => number | undefined,
): SpecialTokens {
  const configs = [readJsonFile(modelDir, 'generation_config.json'), readJsonFile(modelDir, 'config.json')]
  const ids = (key: string) => configs.flatMap((config) => tokenIds(config?.[key]))
  const idOfName = (name: string) => {
    const token = named.get(name)
    return token && idOf(token.content)
  }
  const eos = idOfName('eos_token') ?? ids('eos_token_id')[0] ?? null
  return {
    texts: Object.fromEntries([...named].map(([name, { content }]) => [name, content])),
    bos: idOfName('bos_token') ?? ids('bos_token_id')[0] ?? null,
    eos,
    endIds: new Set([...(eos === null ? [] : [eos]), ...ids('eos_token_id')]),
  }
}

const tokenIds = (value: unknown): number[] =>
  (Array.isArray(value) ? value : [value]).filter((id): id is number => Number.isInteger(id))
