import type { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import type { Arm } from '../../adapters/registry/routing.js'
import { hashedUser } from '../../events/hashed-user.js'
import type { GatewayMetrics } from '../../telemetry/gateway-metrics.js'
import { Capture } from '../answers/capture.js'
import { type Answered, completionsOf, type Ending } from '../answers/records.js'
import { type CompletionRequest, type Kind, readRequest, UNVOTABLE } from '../answers/request.js'
import { newCompletionId } from '../completion.js'
import type { CompletionLog } from '../completion-log.js'
import { MemberRewriter, type Replacement } from '../json/member-rewriter.js'
import type { Begun } from '../upstream/ask-server.js'
import { answerHeaders, requestHeaders } from '../upstream/headers.js'
import { relay } from '../upstream/relay.js'
import type { Routes } from '../upstream/routes.js'
import type { Upstreams } from '../upstream/upstreams.js'
import { signVoteToken } from '../vote-token.js'
import { answerStream } from './answer-stream.js'
import { leaving } from './leaving.js'

export interface ServingOptions {
  readonly upstreams: Upstreams
  readonly dispatcher: Dispatcher
  /** In place of what clients send as `Authorization`; null: theirs is passed on. */
  readonly upstreamKey: string | null
  readonly routes: Routes
  readonly log: CompletionLog
  readonly metrics: GatewayMetrics
  readonly userSalt: string
  /** What signs vote tokens; null: there are none. */
  readonly voteKey: Uint8Array | null
  /** How long an answer can be voted on, milliseconds. */
  readonly voteTtl: number
  /** Ask model servers for the ids of tokens. */
  readonly tokenIds: boolean
  /** Of an answer that is kept for votes, in bytes. */
  readonly maxRecordBytes: number
}

/** What the gateway has decided about a request. */
interface Decided {
  readonly request: CompletionRequest
  readonly arm: Arm | null
  readonly answered: Answered
}

interface Asking {
  /** When the request came, by the monotonic clock. */
  readonly begun: number
  /** Aborted when the client has left. */
  readonly left: AbortSignal
}

const USER_HEADER = 'x-bcod-user'

/** `POST /v1/chat/completions` and `POST /v1/completions`: the arm of the user answers, and the answer can be voted on. */
export class Completions {
  constructor(private readonly options: ServingOptions) {
    for (const reason of UNVOTABLE) options.metrics.unvotable.inc({ reason }, 0)
  }

  async serve(kind: Kind, path: string, asked: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const begun = performance.now()
    const body = asked.body as Buffer
    const decided = this.decide(readRequest(kind, body), asked)
    const { upstreams, dispatcher, upstreamKey } = this.options
    const headers = requestHeaders(asked.headers, upstreamKey)
    if (decided !== null) headers['accept-encoding'] = 'identity' // what is compressed cannot be read on its way
    const signal = leaving(reply)
    const answer = await relay(upstreams, dispatcher, {
      ...{ method: 'POST', path, headers, signal },
      body: decided === null ? body : this.rewritten(decided, body),
    })
    void reply.code(answer.status).headers(answerHeaders(answer.headers))
    if (decided === null || !isAnswer(answer)) return reply.send(answer.body)
    const { answered } = decided
    const token = this.tokenFor(answered)
    // while the log is away the answer might never be found
    if (token !== null && this.options.log.available) void reply.header('x-bcod-vote', token)
    else if (token !== null) this.options.metrics.completionsLogged.inc({ outcome: 'untokened' })
    void reply.header('x-bcod-adapter', answered.adapter ?? 'base').removeHeader('content-length')
    return reply.send(this.onTheWay(decided, answer, { begun, left: signal }))
  }

  private decide(request: CompletionRequest | null, { headers }: FastifyRequest): Decided | null {
    if (request === null) return null
    const { routes, userSalt } = this.options
    const named = headers[USER_HEADER] ?? request.user
    const user = typeof named === 'string' && named !== '' ? hashedUser(named, userSalt) : null
    // the daemon checks the arm of a vote by the user that the vote names: the same hash
    const arm = routes.arm(user ?? request.conversation, request.model)
    const time = new Date()
    const model = request.model ?? ''
    const answered = {
      id: newCompletionId(time),
      time,
      model,
      user,
      adapter: arm?.version ?? null,
      arm: arm?.name ?? null,
    }
    return { request, arm, answered }
  }

  private rewritten({ request, arm, answered }: Decided, body: Buffer): Buffer {
    const wants = this.options.tokenIds && !request.wantsTokenIds
    const model = arm === null ? [] : [{ depth: 1, name: 'model', value: JSON.stringify(arm.model) }]
    // servers log it
    const user = request.user === null ? [] : [{ depth: 1, name: 'user', value: JSON.stringify(answered.user) }]
    const insert = wants ? { insert: '"return_token_ids":true,' } : {}
    return new MemberRewriter([...model, ...user], insert).push(body)
  }

  /** None without a key. */
  private tokenFor({ id, time, user }: Answered): string | null {
    const { voteKey, voteTtl } = this.options
    if (voteKey === null) return null
    return signVoteToken({ completion: id, user, expires: new Date(time.getTime() + voteTtl) }, voteKey)
  }

  private onTheWay({ request, answered }: Decided, answer: Begun, { begun, left }: Asking): Readable {
    const { log, metrics, maxRecordBytes, tokenIds } = this.options
    const isStream = isEventStream(answer)
    const capture = new Capture(isStream, maxRecordBytes)
    const hidden = tokenIds && !request.wantsTokenIds ? TOKEN_IDS : []
    const model = request.model === null ? [] : [{ depth: 1, name: 'model', value: JSON.stringify(request.model) }]
    const id = { depth: 1, name: 'id', value: JSON.stringify(answered.id) }
    return answerStream(answer.body, {
      ...{ capture, left },
      rewriter: new MemberRewriter([id, ...model, ...hidden], { lines: isStream }),
      firstByte: () => metrics.firstByte.observe((performance.now() - begun) / 1000),
      ended: (ending: Ending) => {
        metrics.upstream.observe((performance.now() - begun) / 1000)
        for (const each of completionsOf(request, answered, capture.end(), ending)) {
          if (each.reason !== null) metrics.unvotable.inc({ reason: each.reason })
          log.record(each)
        }
      },
    })
  }
}

/** What the client did not ask for, it does not get. */
const TOKEN_IDS: readonly Replacement[] = [
  { depth: 1, name: 'prompt_token_ids', value: 'null' },
  { depth: 3, name: 'prompt_token_ids', value: 'null' },
  { depth: 3, name: 'token_ids', value: 'null' },
]

const contentType = ({ headers }: Begun): string => String(headers['content-type'] ?? '').toLowerCase()
const isEventStream = (answer: Begun): boolean => contentType(answer).startsWith('text/event-stream')

/** Errors, and what a server has compressed all the same, pass as they are. */
const isAnswer = (answer: Begun): boolean =>
  answer.status === 200 &&
  ['identity', undefined].includes(answer.headers['content-encoding']) &&
  (isEventStream(answer) || contentType(answer).startsWith('application/json'))
