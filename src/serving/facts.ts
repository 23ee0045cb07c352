import { randomUUID } from 'node:crypto'
import { BcodError } from '../errors.js'
import type { Replica } from './replicas.js'
import { versionOf } from './replicas.js'
import { ask, type Endpoint } from './request.js'

/** What can be known of a running server without loading anything. */
export interface ServerFacts {
  readonly base: string
  /** Versions of this target that it has loaded. */
  readonly loaded: readonly string[]
  /** Whether adapters can be loaded while it runs; null if it does not tell. */
  readonly loadsAtRunTime: boolean | null
  /** How many adapters one batch may have; null if it does not tell. */
  readonly maxLoras: number | null
  /** Whether it refuses a request without the API key. */
  readonly takesKey: boolean
  /** Whether `/adapters`, with which SageMaker loads and unloads adapters, answers without the key. */
  readonly opensAdapters: boolean
}

/** @throws what `models` of the server throws */
export async function lookAtServer({ server, target, endpoint }: Replica): Promise<ServerFacts> {
  const { base, adapters } = await server.models()
  const isVllm = target.kind === 'vllm'
  return {
    base,
    loaded: [...adapters.keys()].flatMap((name) => versionOf(target, name) ?? []),
    loadsAtRunTime: isVllm ? await loadsAtRunTime(endpoint) : null,
    maxLoras: isVllm ? await maxLoras(endpoint) : null,
    takesKey: await takesKey(endpoint),
    opensAdapters: isVllm && (await opensAdapters(endpoint)),
  }
}

/** A load without a name is 400 where there are loads, and 404 as any unknown route where there are none. */
const loadsAtRunTime = async (endpoint: Endpoint): Promise<boolean> =>
  (await ask(endpoint, 'POST', '/v1/load_lora_adapter', {})).status !== 404

/** In the labels of `vllm:lora_requests_info`, which is there after the first request. */
async function maxLoras(endpoint: Endpoint): Promise<number | null> {
  const { text } = await ask(endpoint, 'GET', '/metrics')
  const found = /^vllm:lora_requests_info\{[^}]*max_lora="(\d+)"/m.exec(text)?.[1]
  return found === undefined ? null : Number(found)
}

async function takesKey(endpoint: Endpoint): Promise<boolean> {
  try {
    await ask({ ...endpoint, apiKey: null }, 'GET', '/v1/models')
    return false
  } catch (error) {
    if (error instanceof BcodError && error.code === 'SERVING_UNAUTHORIZED') return true
    throw error
  }
}

/** Unloading what was never loaded changes nothing, and its error has a message only where the route exists. */
async function opensAdapters(endpoint: Endpoint): Promise<boolean> {
  try {
    const answer = await ask({ ...endpoint, apiKey: null }, 'DELETE', `/adapters/bcod-check-${randomUUID()}`)
    return (answer.json as { readonly error?: unknown } | undefined)?.error !== undefined
  } catch (error) {
    if (error instanceof BcodError && error.code === 'SERVING_UNAUTHORIZED') return false
    throw error
  }
}
