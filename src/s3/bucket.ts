import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError, type ErrorCode } from '../errors.js'
import { exchange, type HttpAnswer, HttpFailure } from '../http/exchange.js'
import { type Listed, listed, xmlText } from './list.js'
import type { Location } from './location.js'
import { type Credentials, encoded, signed } from './signature.js'

export interface BucketOptions extends Location {
  /** Base URL of the store; null: Amazon's, of the region. */
  readonly endpoint: string | null
  readonly region: string
  readonly credentials: Credentials
  /** Whether the bucket is in the path of URLs, and not in their host. */
  readonly pathStyle: boolean
  /** How long one request may take, in milliseconds. */
  readonly timeout: number
}

const ATTEMPTS = 5
const LONGEST_OBJECT = 2 ** 31
const FIRST_WAIT_MS = 100

/**
 * Objects below a prefix of a bucket. Keys are relative to the prefix. What may pass is tried again, five times in all,
 * with waits that double, but not after twice the time that one request may take.
 *
 * Every method throws S3_DENIED, S3_NO_BUCKET, S3_REGION, S3_CLOCK, S3_UNAVAILABLE and S3_REFUSED.
 */
export class Bucket {
  constructor(private readonly options: BucketOptions) {}

  /** `s3://bucket/prefix/key` */
  place(key: string): string {
    const { bucket, prefix } = this.options
    return `s3://${bucket}/${prefix}${key}`
  }

  /** Null if it is not there. */
  async get(key: string): Promise<Buffer | null> {
    const { status, body } = await this.#ask('GET', key)
    return status === 404 ? null : body
  }

  /** Writes an object, whatever was there. */
  async put(key: string, body: Uint8Array): Promise<void> {
    await this.#ask('PUT', key, { body })
  }

  /**
   * Writes an object if none is there. An object that this call has written although the answer was lost counts as
   * written.
   *
   * @param writer  a name that no other call uses
   * @returns false if somebody else has written one
   */
  async create(key: string, body: Uint8Array, writer: string): Promise<boolean> {
    const headers = { 'if-none-match': '*', [WRITER]: writer }
    try {
      const { status } = await this.#ask('PUT', key, { body, headers })
      if (status !== 412) return true
    } catch (error) {
      if (!(error instanceof BcodError && error.retryable)) throw error
      // perhaps it is there although no answer came
      if ((await this.#writerOf(key)) === writer) return true
      throw error
    }
    return (await this.#writerOf(key)) === writer
  }

  /** Removes an object, if it is there. */
  async remove(key: string): Promise<void> {
    await this.#ask('DELETE', key)
  }

  /** Objects whose keys begin with some text, and folders below it, in order. */
  async list(start: string): Promise<readonly Listed[]> {
    return this.#pages(start, {})
  }

  /** Objects and folders directly in a folder; its name ends in `/`. */
  async folder(name: string): Promise<readonly Listed[]> {
    return this.#pages(name, { delimiter: '/' })
  }

  async #pages(start: string, query: Readonly<Record<string, string>>): Promise<readonly Listed[]> {
    const prefix = `${this.options.prefix}${start}`
    const all: Listed[] = []
    for (let token: string | null = null; ; ) {
      const next: Record<string, string> = token === null ? {} : { 'continuation-token': token }
      const { body } = await this.#ask('GET', null, { query: { 'list-type': '2', prefix, ...query, ...next } })
      const page = listed(body.toString(), this.options.prefix)
      all.push(...page.entries)
      token = page.next
      if (token === null) return all
    }
  }

  async #writerOf(key: string): Promise<string | null> {
    const { status, headers } = await this.#ask('HEAD', key)
    return status === 404 ? null : (headers[WRITER]?.toString() ?? null)
  }

  /** An answer of 2xx, or 404 for an object that is not there, or 412 for one that is. */
  async #ask(method: string, key: string | null, given: Given = {}): Promise<HttpAnswer> {
    const started = performance.now()
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#once(method, key, given)
      if (!(outcome instanceof BcodError)) return outcome
      const isLate = performance.now() - started > 2 * this.options.timeout
      if (!outcome.retryable || attempt === ATTEMPTS || isLate) throw outcome
      await sleep(FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2))
    }
  }

  async #once(
    method: string,
    key: string | null,
    { body = NOTHING, headers = {}, query = {} }: Given,
  ): Promise<HttpAnswer | BcodError> {
    const { credentials, region, timeout } = this.options
    const url = this.#url(key, query)
    const request = { method, url, headers, body }
    const place = this.place(key ?? query.prefix?.slice(this.options.prefix.length) ?? '')
    try {
      const answer = await exchange({
        ...{ method, url: url.href, timeout, maxAnswer: LONGEST_OBJECT },
        headers: signed(request, credentials, region, new Date()),
        body: method === 'PUT' ? body : null,
      })
      const { status } = answer
      const isAbsent = status === 404 && key !== null && codeOf(answer) !== 'NoSuchBucket'
      return (status >= 200 && status < 300) || isAbsent || status === 412 ? answer : refusal(answer, place)
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error
      return new BcodError('S3_UNAVAILABLE', error.message, { place, cause: error })
    }
  }

  #url(key: string | null, query: Readonly<Record<string, string>>): URL {
    const { endpoint, region, pathStyle, bucket, prefix } = this.options
    const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
    if (!pathStyle) url.hostname = `${bucket}.${url.hostname}`
    url.pathname = `${pathStyle ? `/${bucket}` : ''}/${key === null ? '' : `${prefix}${key}`}`
    url.search = Object.entries(query)
      .map(([name, value]) => `${encoded(name)}=${encoded(value)}`)
      .join('&')
    return url
  }
}

interface Given {
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, string>>
}

const NOTHING = new Uint8Array()
const WRITER = 'x-amz-meta-writer'

/** Code of the answer's error, such as `NoSuchBucket`; an answer to HEAD has none. */
const codeOf = ({ body }: HttpAnswer): string | null => xmlText(body.toString(), 'Code')

const CODES: Readonly<Record<string, ErrorCode>> = {
  NoSuchBucket: 'S3_NO_BUCKET',
  PermanentRedirect: 'S3_REGION',
  AuthorizationHeaderMalformed: 'S3_REGION',
  IllegalLocationConstraintException: 'S3_REGION',
  RequestTimeTooSkewed: 'S3_CLOCK',
  SlowDown: 'S3_UNAVAILABLE',
  RequestTimeout: 'S3_UNAVAILABLE',
  ConditionalRequestConflict: 'S3_UNAVAILABLE',
}
const STATUSES: Readonly<Record<number, ErrorCode>> = {
  ...{ 301: 'S3_REGION', 307: 'S3_REGION', 401: 'S3_DENIED', 403: 'S3_DENIED' },
  ...{ 408: 'S3_UNAVAILABLE', 409: 'S3_UNAVAILABLE', 429: 'S3_UNAVAILABLE' },
}

function refusal(answer: HttpAnswer, place: string): BcodError {
  const { status, headers } = answer
  const reason = codeOf(answer)
  const code = CODES[reason ?? ''] ?? STATUSES[status] ?? (status >= 500 ? 'S3_UNAVAILABLE' : 'S3_REFUSED')
  const region = headers['x-amz-bucket-region']
  const told = code === 'S3_REGION' && region !== undefined ? `, its region is ${region}` : ''
  return new BcodError(code, `status ${status}${reason === null ? '' : ` ${reason}`}${told}`, { place })
}
