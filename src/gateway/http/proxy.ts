import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Dispatcher } from 'undici'
import { BcodError } from '../../errors.js'
import type { Kind } from '../answers/request.js'
import type { Begun } from '../upstream/ask-server.js'
import { answerHeaders, requestHeaders } from '../upstream/headers.js'
import { relay } from '../upstream/relay.js'
import { passablePath } from '../upstream/target.js'
import { Completions, type ServingOptions } from './completions.js'
import { codedError, errorBody, statusOf } from './errors.js'
import { leaving } from './leaving.js'
import { modelsOf } from './models.js'

export interface ProxyOptions extends ServingOptions {
  /** The model name that the arms answer; null: every name. */
  readonly model: string | null
  readonly maxBodyBytes: number
  /** An error that nobody foresaw. */
  readonly failed: (error: unknown) => void
}

/** Everything below `/v1` that goes to a model server. */
export async function proxyPlugin(fastify: FastifyInstance, options: ProxyOptions): Promise<void> {
  const completions = new Completions(options)
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (_, body, done) => done(null, body))
  fastify.setErrorHandler((error, _, reply) => {
    const known = codedError(error, options.maxBodyBytes)
    // to a client that has left nothing is said
    if (known === null && !reply.raw.destroyed) options.failed(error)
    // those of an answer that did not come
    for (const name of Object.keys(reply.getHeaders()))
      if (name !== 'connection' && !name.startsWith('access-control-')) reply.removeHeader(name)
    return reply.code(statusOf(known)).type('application/json').send(errorBody(known))
  })
  const answers = (kind: Kind) => (request: FastifyRequest, reply: FastifyReply) =>
    completions.serve(kind, pathOf(request), request, reply)
  fastify.post('/v1/chat/completions', answers('chat'))
  fastify.post('/v1/completions', answers('text'))
  fastify.get('/v1/models', async (request, reply) => {
    const answer = await passedOn(request, reply, options, { 'accept-encoding': 'identity' })
    if (answer.status !== 200) return sent(answer, reply)
    const text = await answer.body.reduce((all, piece) => `${all}${piece}`, '')
    const list = modelsOf(text, options.routes, options.model)
    void reply.headers(answerHeaders(answer.headers)).removeHeader('content-length')
    return reply.send(list ?? text)
  })
  fastify.all('/v1/*', async (request, reply) => sent(await passedOn(request, reply, options), reply))
}

/** @throws PATH_REFUSED, UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT */
function passedOn(
  request: FastifyRequest,
  reply: FastifyReply,
  { upstreams, dispatcher, upstreamKey }: ServingOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<Begun> {
  return relay(upstreams, dispatcher, {
    method: request.method as Dispatcher.HttpMethod,
    path: pathOf(request),
    headers: { ...requestHeaders(request.headers, upstreamKey), ...headers },
    body: Buffer.isBuffer(request.body) ? request.body : null,
    signal: leaving(reply),
  })
}

const sent = ({ status, headers, body }: Begun, reply: FastifyReply): FastifyReply =>
  reply.code(status).headers(answerHeaders(headers)).send(body)

function pathOf({ raw }: FastifyRequest): string {
  const path = passablePath(raw.url ?? '')
  if (path === null) throw new BcodError('PATH_REFUSED', 'this path is not passed on', { place: 'path' })
  return path
}
