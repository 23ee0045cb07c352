import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BcodError } from '../../errors.js'
import { errorBody, statusOf } from '../http/errors.js'
import type { BallotBox, Voter } from './ballot-box.js'
import { readEvents, structured } from './cloud-events.js'
import { type ForeignVotesOptions, registerForeignVotes } from './foreign-plugin.js'
import { KeyRate } from './key-rate.js'
import { readVote } from './vote.js'

export interface VotesPluginOptions {
  readonly ballots: BallotBox
  readonly userSalt: string
  /** `source` of the events of votes by id, which nobody else may send. */
  readonly ownSource: string
  /** Votes a minute by id, of one user: by tokens, or by one API key. */
  readonly votesPerMinute: number
  /** Votes and events a minute of one API key, whoever its users are. */
  readonly keyVotesPerMinute: number
  /** Every vote, once it is decided. @param outcome  `accepted` or the code of the error */
  readonly decided: (outcome: string, count: number) => void
  /** Events of other products that are no votes. */
  readonly ignored: (count: number) => void
  /** Votes and events above a limit. */
  readonly limited: (limit: 'user' | 'key', count: number) => void
  /** Seconds from a vote to its answer in the topic. */
  readonly joined: (seconds: number) => void
  /** An error that nobody foresaw. */
  readonly failed: (error: unknown) => void
}

const CLOUD_EVENT = 'application/cloudevents+json'
const CLOUD_EVENTS = 'application/cloudevents-batch+json'
const MINUTE = 60_000

/**
 * `POST /v1/feedback`: votes by id, and the same in the forms of other products. `POST /v1/events`: CloudEvents of
 * applications that are not behind the gateway.
 */
export async function votesPlugin(fastify: FastifyInstance, options: VotesPluginOptions): Promise<void> {
  const { ballots, votesPerMinute, keyVotesPerMinute, decided, limited, joined } = options
  const voters = new WeakMap<FastifyRequest, Voter>()
  await fastify.register(rateLimit, { global: false })
  const limit = fastify.createRateLimit({
    ...{ max: votesPerMinute, timeWindow: MINUTE },
    keyGenerator: (request) => voters.get(request)?.name ?? request.ip,
  })
  const keys = new KeyRate(keyVotesPerMinute)
  const admitKey = (reply: FastifyReply, key: string, count: number): void => {
    const seconds = keys.take(key, count, performance.now())
    if (seconds === 0) return
    limited('key', count)
    throw tooMany(reply, seconds, { limit: keyVotesPerMinute, place: 'gateway.keyVotesPerMinute' })
  }
  const admit = async (request: FastifyRequest, reply: FastifyReply, voter: Voter): Promise<void> => {
    voters.set(request, voter)
    const state = await limit(request)
    if (!state.isAllowed && state.isExceeded) {
      limited('user', 1)
      throw tooMany(reply, state.ttlInSeconds, { limit: votesPerMinute, place: 'gateway.votesPerMinute' })
    }
    if (voter.key !== null) admitKey(reply, voter.key, 1)
  }
  // beside it, bodies are passed on as they are
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(
    ['application/json', CLOUD_EVENT, CLOUD_EVENTS],
    { parseAs: 'string' },
    fastify.getDefaultJsonParser('ignore', 'ignore'),
  )
  fastify.setErrorHandler((error, _request, reply) => {
    const coded = codedError(error)
    if (coded === null) options.failed(error)
    decided(coded?.code ?? 'INTERNAL', 1)
    void reply.status(answerStatus(error, coded)).send(errorBody(coded))
  })

  const accept: ForeignVotesOptions['accept'] = async (request, reply, { body, bearer }) => {
    const begun = performance.now()
    const now = new Date()
    const vote = readVote(body)
    const voter = await ballots.voterOf(vote, bearer, now)
    await admit(request, reply, voter)
    const event = await ballots.cast(vote, voter, now)
    joined((performance.now() - begun) / 1000)
    decided('accepted', 1)
    return event
  }
  registerForeignVotes(fastify, {
    accept,
    authorise: (bearer) => void ballots.keyOf(bearer),
    refused: ({ code }) => decided(code, 1),
    ignored: options.ignored,
  })

  fastify.post('/v1/feedback', async (request, reply) => {
    const event = await accept(request, reply, { body: request.body, bearer: bearerOf(request) })
    return reply.status(202).send({ event })
  })

  fastify.post('/v1/events', async (request, reply) => {
    const type = String(request.headers['content-type'])
    const key = ballots.keyOf(bearerOf(request))
    const isBatch = type.startsWith(CLOUD_EVENTS)
    const isWhole = isBatch || type.startsWith(CLOUD_EVENT)
    const body = isWhole ? request.body : structured(request.headers, request.body)
    const events = readEvents(body, isBatch, options)
    admitKey(reply, key, events.length)
    await ballots.publish(events)
    decided('accepted', events.length)
    const ids = events.map(({ id }) => id)
    return reply.status(202).send(isBatch ? { events: ids } : { event: ids[0] })
  })
}

function tooMany(
  reply: FastifyReply,
  seconds: number,
  { limit, place }: { readonly limit: number; readonly place: string },
): BcodError {
  reply.header('retry-after', String(seconds))
  return new BcodError('VOTE_RATE', `more than ${limit} votes a minute`, { place })
}

/** The token of `Authorization: Bearer TOKEN`; null if there is none. */
const bearerOf = ({ headers }: FastifyRequest): string | null =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? null

/** What Fastify refuses by itself is a vote that is not of the form: bad JSON, another content type. */
function codedError(error: unknown): BcodError | null {
  if (error instanceof BcodError) return error
  const status = statusIn(error)
  if (status === null || status >= 500) return null
  return new BcodError('VOTE_INVALID', REFUSALS[status] ?? 'the body is not JSON', { place: 'body' })
}

const REFUSALS: Readonly<Record<number, string>> = {
  413: 'the body is longer than gateway.maxBodyBytes',
  415: `expected the content type application/json, ${CLOUD_EVENT} or ${CLOUD_EVENTS}`,
}

/** Fastify's own status for what it refuses, such as 413 and 415. */
const answerStatus = (error: unknown, coded: BcodError | null): number =>
  coded === null || error === coded ? statusOf(coded) : (statusIn(error) ?? 400)

function statusIn(error: unknown): number | null {
  const { statusCode } = (error ?? {}) as { readonly statusCode?: unknown }
  return typeof statusCode === 'number' && statusCode >= 400 ? statusCode : null
}
