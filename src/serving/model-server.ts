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
  /** Natural log-probability of each token but the first, given those before it. */
  logps(model: ServedModel, tokens: readonly number[]): Promise<readonly number[]>
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

/** @throws SERVING_ANSWER unless there is a finite number for each token but the first */
export function requireLogps(found: readonly unknown[], tokens: readonly number[], place: string): readonly number[] {
  if (found.length === tokens.length - 1 && found.every(Number.isFinite)) return found as readonly number[]
  throw new BcodError('SERVING_ANSWER', 'its answer is not one log-probability for each token of the prompt', { place })
}
