import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { BcodError } from '../../errors.js'
import type { Check } from '../check.js'
import { hookRequest, MAX_ANSWER, readVerdict } from './verdict.js'

export interface WebhookOptions {
  readonly url: string
  /** Sent as a bearer token. */
  readonly token: string | null
  /** `model.path` */
  readonly model: string
  /** `gate.timeout`, milliseconds. */
  readonly timeout: number
}

/** `webhook:<name>`: a service of the team's own. It gets a `HookRequest` by POST and answers 200 with its verdict. */
export const webhookCheck = (name: string, options: WebhookOptions): Check => {
  const check = `webhook:${name}`
  return {
    name: check,
    async run(subject) {
      const body = JSON.stringify(hookRequest(check, options.model, subject))
      return readVerdict(await post(check, body, options, subject.signal), check)
    },
  }
}

/**
 * The body of the answer. Redirects are not followed: they would take the token elsewhere.
 *
 * @throws GATE_HOOK_TIMEOUT, GATE_HOOK_FAILED, GATE_HOOK_INVALID, the signal's reason
 */
function post(place: string, body: string, { url, token, timeout }: WebhookOptions, signal: AbortSignal) {
  const failed = (message: string, cause?: unknown) => new BcodError('GATE_HOOK_FAILED', message, { place, cause })
  const limit = AbortSignal.timeout(timeout)
  return new Promise<string>((resolve, reject) => {
    const request = (url.startsWith('https:') ? requestHttps : requestHttp)(url, {
      method: 'POST',
      headers: {
        ...{ 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
        ...(token !== null && { authorization: `Bearer ${token}` }),
      },
      agent: false,
      signal: AbortSignal.any([signal, limit]),
    })
    const broken = (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason)
      else if (limit.aborted) reject(new BcodError('GATE_HOOK_TIMEOUT', `no answer in ${timeout / 1000} s`, { place }))
      else reject(failed(`no connection (${error.code ?? error.name})`, error))
    }
    request.on('error', broken)
    request.on('response', (response) => {
      response.on('error', broken)
      if (response.statusCode !== 200) {
        reject(failed(`it answered with status ${response.statusCode}`))
        request.destroy()
        return
      }
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes <= MAX_ANSWER) return
        reject(new BcodError('GATE_HOOK_INVALID', `it answered with more than ${MAX_ANSWER} bytes`, { place }))
        request.destroy()
      })
      response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
      response.on('close', () => reject(failed('the connection broke')))
    })
    request.end(body)
  })
}
