import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { parseJson } from '../../events/json.js'
import { exchange, type HttpAnswer, HttpFailure } from '../../http/exchange.js'

/** How a product's API is reached. */
export interface ApiOptions {
  /** Its address, with the path that it may be served under. */
  readonly url: string
  /** Header; null: none. */
  readonly authorization: string | null
  readonly signal?: AbortSignal
  /** Waits between attempts, in milliseconds. @default 1, 2, 4 and 8 seconds */
  readonly waits?: readonly number[]
}

/** Values of a query; a list is given as often as it has values, and what is undefined is left out. */
export type Query = Readonly<Record<string, string | number | readonly string[] | undefined>>

const TIMEOUT = 120_000
/** Open WebUI answers with all that it has at once. */
const MAX_ANSWER = 500 * 2 ** 20
/** Longest wait that a product may ask for. */
const LONGEST_WAIT = 30_000

/**
 * Asks a product for JSON. What may pass by itself (no connection, 429, 5xx) is tried again.
 *
 * Every call throws IMPORT_SOURCE_UNREACHABLE, IMPORT_SOURCE_REFUSED or IMPORT_SOURCE_INVALID; their place is the path.
 */
export class ProductApi {
  constructor(private readonly options: ApiOptions) {}

  async get(path: string, query: Query = {}): Promise<unknown> {
    return (await this.find(path, query)) ?? this.invalid(path, 'it has no such page (404)')
  }

  /** null if there is no such thing. */
  async find(path: string, query: Query = {}): Promise<unknown> {
    return this.json('GET', path + queryText(query), null)
  }

  async post(path: string, body: unknown): Promise<unknown> {
    return (await this.json('POST', path, JSON.stringify(body))) ?? this.invalid(path, 'it has no such page (404)')
  }

  private async json(method: string, target: string, body: string | null): Promise<unknown> {
    const path = target.split('?')[0] as string
    const { status, body: bytes } = await this.answer(method, target, body)
    if (status === 404) return null
    if (status === 401 || status === 403)
      throw new BcodError('IMPORT_SOURCE_REFUSED', `it answered with status ${status}`, { place: path })
    if (status < 200 || status > 299) return this.invalid(path, `it answered with status ${status}`)
    try {
      return parseJson(bytes)
    } catch {
      return this.invalid(path, 'its answer is not JSON')
    }
  }

  private async answer(method: string, target: string, body: string | null): Promise<HttpAnswer> {
    const { url, authorization, signal, waits = [1000, 2000, 4000, 8000] } = this.options
    const headers = {
      accept: 'application/json',
      ...(body !== null && { 'content-type': 'application/json' }),
      ...(authorization !== null && { authorization }),
    }
    const request = { method, url: url.replace(/\/+$/, '') + target, headers, body, timeout: TIMEOUT }
    let problem = ''
    for (const wait of [...waits, null]) {
      let asked: number | null = null
      try {
        const answer = await exchange({ ...request, maxAnswer: MAX_ANSWER, ...(signal && { signal }) })
        if (answer.status !== 429 && answer.status < 500) return answer
        problem = `it answered with status ${answer.status}`
        asked = Number(answer.headers['retry-after']) * 1000 || null
      } catch (error) {
        if (!(error instanceof HttpFailure)) throw error
        if (error.kind === 'too long') return this.invalid(target.split('?')[0] as string, error.message)
        problem = error.message
      }
      if (wait !== null) await sleep(Math.min(asked ?? wait, LONGEST_WAIT), undefined, { ...(signal && { signal }) })
    }
    throw new BcodError('IMPORT_SOURCE_UNREACHABLE', problem, { place: target.split('?')[0] as string })
  }

  private invalid(place: string, message: string): never {
    throw new BcodError('IMPORT_SOURCE_INVALID', message, { place })
  }
}

function queryText(query: Query): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue
    for (const each of Array.isArray(value) ? value : [value]) parameters.append(name, String(each))
  }
  const text = parameters.toString()
  return text === '' ? '' : `?${text}`
}
