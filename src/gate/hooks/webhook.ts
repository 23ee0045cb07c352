import { BcodError, type ErrorCode } from '../../errors.js'
import { asJson, exchange, HttpFailure } from '../../http/exchange.js'
import type { Check } from '../check.js'
import { type HookRequest, hookRequest, MAX_ANSWER, readVerdict } from './verdict.js'

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
      const request = hookRequest(check, options.model, subject)
      return readVerdict(await answerTo(check, request, options, subject.signal), check)
    },
  }
}

const CODES: Readonly<Record<HttpFailure['kind'], ErrorCode>> = {
  timeout: 'GATE_HOOK_TIMEOUT',
  connection: 'GATE_HOOK_FAILED',
  'too long': 'GATE_HOOK_INVALID',
}

/** The body of the answer. @throws GATE_HOOK_TIMEOUT, GATE_HOOK_FAILED, GATE_HOOK_INVALID, the signal's reason */
async function answerTo(
  place: string,
  request: HookRequest,
  { url, token, timeout }: WebhookOptions,
  signal: AbortSignal,
): Promise<string> {
  const asked = { method: 'POST', url, ...asJson(request, token), timeout, maxAnswer: MAX_ANSWER, signal }
  const { status, body } = await exchange(asked).catch((error: unknown) => {
    if (!(error instanceof HttpFailure)) throw error
    throw new BcodError(CODES[error.kind], error.message, { place, cause: error })
  })
  if (status !== 200) throw new BcodError('GATE_HOOK_FAILED', `it answered with status ${status}`, { place })
  return body.toString('utf8')
}
