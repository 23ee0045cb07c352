import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { BcodError } from '../errors.js'
import { type Answer, failure, json, methodNotAllowed, notFound } from './answer.js'
import { unauthorized, WrongTokens } from './wrong-tokens.js'

/** An action on the daemon; returns the answer. `body` is the request's JSON, null without one. */
export type AdminVerb = (body: unknown) => Promise<unknown>

/** An answer that is not there yet; `body` says where to look for it. Sent with status 202. */
export class Accepted {
  constructor(readonly body: unknown) {}
}

const PREFIX = '/v1/admin/'
const MAX_BODY_BYTES = 65_536

/** `POST /v1/admin/VERB`, behind a bearer token. Without a token the whole tree does not exist. */
export class AdminRoutes {
  private readonly verbs = new Map<string, AdminVerb>()
  private readonly wrongTokens: WrongTokens

  /**
   * @param onWrongToken     called for each request with a wrong token
   * @param wrongTokenDelay  of the answer to such a request, milliseconds
   */
  constructor(
    private readonly token: string | null,
    private readonly onWrongToken: (request: IncomingMessage) => void,
    wrongTokenDelay: number,
  ) {
    this.wrongTokens = new WrongTokens(wrongTokenDelay)
  }

  register(name: string, verb: AdminVerb): void {
    this.verbs.set(name, verb)
  }

  owns(path: string): boolean {
    return path.startsWith(PREFIX)
  }

  async answer(request: IncomingMessage, path: string): Promise<Answer> {
    if (this.token === null) return notFound()
    if (request.headers.authorization === undefined) return unauthorized()
    if (!carriesToken(request, this.token)) {
      this.onWrongToken(request)
      return this.wrongTokens.answer()
    }
    const verb = this.verbs.get(path.slice(PREFIX.length))
    if (verb === undefined) return notFound()
    if (request.method !== 'POST') return methodNotAllowed(['POST'])
    const body = await readJson(request)
    if (!body.ok) return body.answer
    try {
      const answer = (await verb(body.value)) ?? {}
      return answer instanceof Accepted ? json(202, answer.body) : json(200, answer)
    } catch (error) {
      if (error instanceof BcodError)
        return failure(error.code === 'USAGE' ? 400 : 409, error.code, `${error.message} ${error.remedy}`)
      throw error
    }
  }
}

/** Compares digests, so that the time of the comparison reveals nothing of the token. */
function carriesToken(request: IncomingMessage, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(request.headers.authorization!), digest(`Bearer ${token}`))
}

type Body = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly answer: Answer }

async function readJson(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) {
      const answer = failure(413, 'BODY_TOO_LARGE', `Send at most ${MAX_BODY_BYTES} bytes.`, { connection: 'close' })
      return { ok: false, answer }
    }
    chunks.push(chunk)
  }
  if (size === 0) return { ok: true, value: null }
  try {
    return { ok: true, value: JSON.parse(Buffer.concat(chunks).toString('utf8')) }
  } catch {
    return { ok: false, answer: failure(400, 'BODY_INVALID', 'The body is not JSON.') }
  }
}
