import { BcodError } from '../errors.js'
import { ask, type Endpoint } from './request.js'

/** One running server, as its kind's driver talks to it. Every call ends within the endpoint's timeout. */
export interface ModelServer {
  /** What it serves now. @throws SERVING_UNREACHABLE, SERVING_UNAUTHORIZED, SERVING_ANSWER */
  models(): Promise<ServedModels>
  /**
   * Loads the adapter in a directory under a name that is not loaded.
   * @throws SERVING_REFUSED if it would never load, SERVING_UNREACHABLE if it is not known whether it has
   */
  load(name: string, directory: string): Promise<void>
  /** Takes a name away; one that is not loaded is no error. Requests that run on it end on it. */
  unload(name: string): Promise<void>
  /** The likeliest tokens after a prompt, with their natural log-probabilities, the likeliest first. */
  likeliest(model: ServedModel, prompt: readonly number[]): Promise<readonly NextToken[]>
}

export interface ServedModels {
  /** The name of the base model. */
  readonly base: string
  /** Loaded adapters by name: the directory that each was loaded from, as it was given. */
  readonly adapters: ReadonlyMap<string, string>
}

/** What answers a prompt. */
export interface ServedModel {
  readonly name: string
  readonly isBase: boolean
}

/** No server is busy with a list. Milliseconds. */
const LONGEST_LIST = 5_000

/** How many tokens `likeliest` asks for. */
export const LIKELIEST = 4

export interface NextToken {
  readonly id: number
  readonly logp: number
}

/** `GET /v1/models`, which vLLM and SGLang answer alike: the base first, adapters with their parent and path. */
export async function listModels(endpoint: Endpoint): Promise<ServedModels> {
  const answer = await ask({ ...endpoint, timeout: Math.min(endpoint.timeout, LONGEST_LIST) }, 'GET', '/v1/models')
  const data = (answer.json as { readonly data?: unknown } | undefined)?.data
  const cards = Array.isArray(data) ? (data as readonly ModelCard[]) : []
  const base = cards.find(({ id, parent }) => typeof id === 'string' && (parent ?? null) === null)?.id
  if (answer.status !== 200 || base === undefined)
    throw new BcodError('SERVING_ANSWER', `status ${answer.status}, and no model in it, to GET /v1/models`, {
      place: endpoint.place,
    })
  const adapters = cards.filter(({ parent }) => typeof parent === 'string')
  return { base, adapters: new Map(adapters.map(({ id, root }) => [id, String(root)])) }
}

interface ModelCard {
  readonly id: string
  readonly root?: unknown
  readonly parent?: unknown
}

/** @throws SERVING_ANSWER unless there are tokens, each with a finite number */
export function requireTokens(found: readonly NextToken[], place: string): readonly NextToken[] {
  if (found.length > 0 && found.every(({ id, logp }) => Number.isSafeInteger(id) && Number.isFinite(logp)))
    return [...found].sort((a, b) => b.logp - a.logp)
  throw new BcodError('SERVING_ANSWER', 'its answer has no log-probabilities of tokens', { place })
}
