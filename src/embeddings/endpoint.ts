import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../errors.js'
import { jsonOrNull } from '../events/json.js'
import type { EmbeddingOutcome, TrainingEvent } from '../events/types.js'
import { asJson, exchange, HttpFailure } from '../http/exchange.js'
import { MAX_WIDTH, Projection } from '../ratio/projection.js'

export interface EndpointOptions {
  /** `embeddings.url`: of an OpenAI-compatible API, up to and with `/v1`. */
  readonly url: string
  readonly token: string | null
  /** `ratio.embeddingModel` */
  readonly model: string
  /** `embeddings.timeout` of one request, milliseconds. */
  readonly timeout: number
  /** `embeddings.retries`: further requests after one that failed. */
  readonly retries: number
  /** `embeddings.cache`: prompts whose embedding is kept. */
  readonly cache: number
  /** Of the projection of wide embeddings. */
  readonly seed: number
}

export interface EndpointParts {
  /** The prompts' tokens as texts. A coded error counts as embeddings that could not be had. */
  readonly textsOf: (prompts: readonly (readonly number[])[]) => Promise<readonly string[]>
  /** Called with how many prompts were found in the cache, embedded, or given up. */
  readonly counted: (outcome: EmbeddingOutcome, count: number) => void
  /** Called with the reason when embeddings are given up, once until there are some again. */
  readonly failed: (error: BcodError) => void
}

/** Between two attempts, doubling. */
const FIRST_WAIT_MS = 200

/** Of one answer, in bytes: 500 embeddings of 4,096 numbers take 45 MB. */
const MAX_ANSWER = 64 << 20

/**
 * Prompt embeddings from an OpenAI-compatible `/v1/embeddings` endpoint: one request for all prompts of a step that are
 * not in the cache. Embeddings are projected to at most 256 and rounded to f32, which is what the journal keeps, so
 * that a replay needs no endpoint. What cannot be had is null: training never waits longer than timeouts and retries.
 */
export class EmbeddingEndpoint {
  /** By hash of the prompt, the one used longest ago first. */
  readonly #cache = new Map<string, Float32Array>()
  #projection: Projection | null = null
  #failing = false

  constructor(
    private readonly options: EndpointOptions,
    private readonly parts: EndpointParts,
  ) {}

  /** The same events, each with its `promptEmbedding`. */
  async embed(events: readonly TrainingEvent[]): Promise<readonly TrainingEvent[]> {
    const keys = events.map(({ promptTokens }) => hashOf(promptTokens))
    const known = new Map(keys.flatMap((key) => (this.#cache.has(key) ? [[key, this.#cache.get(key)!] as const] : [])))
    const missing = new Map(keys.flatMap((key, i) => (known.has(key) ? [] : [[key, events[i]!.promptTokens] as const])))
    this.parts.counted('cached', events.length - missing.size)
    if (missing.size > 0) {
      const found = await this.#found([...missing.values()])
      this.parts.counted(found ? 'embedded' : 'failed', missing.size)
      found?.forEach((embedding, i) => {
        known.set([...missing.keys()][i]!, embedding)
      })
    }
    for (const [key, embedding] of known) this.#keep(key, embedding)
    return events.map((event, i) => ({ ...event, promptEmbedding: known.get(keys[i]!) ?? null }))
  }

  async #found(prompts: readonly (readonly number[])[]): Promise<readonly Float32Array[] | null> {
    let texts: readonly string[]
    try {
      texts = await this.parts.textsOf(prompts)
    } catch (error) {
      if (!(error instanceof BcodError)) throw error
      this.#gaveUp(error)
      return null
    }
    return this.#request(texts)
  }

  #gaveUp(error: BcodError): void {
    if (!this.#failing) this.parts.failed(error)
    this.#failing = true
  }

  /** null if every attempt failed. */
  async #request(input: readonly string[]): Promise<readonly Float32Array[] | null> {
    for (let attempt = 0; ; attempt++) {
      try {
        const found = (await post(this.options, input)).map((embedding) => this.#narrow(embedding))
        this.#failing = false
        return found
      } catch (error) {
        const failure = error as EndpointFailure
        if (attempt === this.options.retries || !failure.passing) {
          this.#gaveUp(failure.coded)
          return null
        }
        await sleep(FIRST_WAIT_MS * 2 ** attempt)
      }
    }
  }

  /** @throws EndpointFailure if the width is another than before */
  #narrow(embedding: readonly number[]): Float32Array {
    this.#projection ??= new Projection(embedding.length, MAX_WIDTH, this.options.seed)
    const { inputWidth, width } = this.#projection
    if (embedding.length !== inputWidth)
      throw new EndpointFailure(
        this.options.url,
        `an embedding of width ${embedding.length} after ${inputWidth}`,
        false,
      )
    return Float32Array.from(this.#projection.withIntercept(embedding).subarray(0, width))
  }

  #keep(key: string, embedding: Float32Array): void {
    this.#cache.delete(key)
    this.#cache.set(key, embedding)
    if (this.#cache.size > this.options.cache) this.#cache.delete(this.#cache.keys().next().value as string)
  }
}

/** @throws EndpointFailure */
async function post({ url, token, model, timeout }: EndpointOptions, input: readonly string[]): Promise<number[][]> {
  const failure = (message: string, passing: boolean) => new EndpointFailure(url, message, passing)
  const { status, body } = await exchange({
    ...{ method: 'POST', url: `${url.replace(/\/$/, '')}/embeddings`, timeout, maxAnswer: MAX_ANSWER },
    ...asJson({ model, input, encoding_format: 'float' }, token),
  }).catch((error: unknown) => {
    if (!(error instanceof HttpFailure)) throw error
    throw failure(error.message, error.kind !== 'too long')
  })
  if (status >= 300 && status < 400) throw failure(`it redirects (status ${status}), which is not followed`, false)
  // 429 and 5xx pass; of the rest another attempt would only be refused again
  if (status < 200 || status > 299) throw failure(`status ${status}`, status === 429 || status >= 500)
  const answer = jsonOrNull(body.toString('utf8')) as { readonly data?: unknown } | null
  const rows = Array.isArray(answer?.data) ? (answer.data as readonly Row[]) : []
  const embeddings: (number[] | undefined)[] = input.map(() => undefined)
  rows.forEach((row, i) => {
    embeddings[row?.index ?? i] = row?.embedding
  })
  const width = embeddings[0]?.length
  if (rows.length !== input.length || !embeddings.every((each) => isVector(each) && each.length === width))
    throw failure('its answer is not one embedding for each prompt', false)
  return embeddings as number[][]
}

interface Row {
  readonly index?: number
  readonly embedding?: number[]
}

const isVector = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length > 0 && value.every((each) => Number.isFinite(each))

class EndpointFailure extends Error {
  readonly coded: BcodError

  /** @param passing  whether another attempt may succeed */
  constructor(
    url: string,
    message: string,
    readonly passing: boolean,
  ) {
    super(message)
    this.coded = new BcodError('EMBEDDINGS_UNAVAILABLE', message, { place: url })
  }
}

const hashOf = (tokens: readonly number[]): string =>
  createHash('sha256').update(Int32Array.from(tokens)).digest('base64')
