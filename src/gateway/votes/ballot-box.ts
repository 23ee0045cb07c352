import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { hashedUser } from '../../events/hashed-user.js'
import { answerId, type Completion, completionTime } from '../completion.js'
import type { CompletionLog } from '../completion-log.js'
import { readVoteToken } from '../vote-token.js'
import type { ApiKeys } from './api-keys.js'
import type { Vote } from './vote.js'
import { type VoteEvent, voteEvent } from './vote-event.js'

export interface BallotOptions {
  readonly log: CompletionLog
  /** Resolves when all in-sync replicas hold the events. */
  readonly publish: (events: readonly VoteEvent[]) => Promise<void>
  readonly apiKeys: ApiKeys
  /** The first one signs; the others are being replaced. None: there are no tokens. */
  readonly voteKeys: readonly Uint8Array[]
  /** How long an answer can be voted on, milliseconds. */
  readonly voteTtl: number
  readonly userSalt: string
  /** `source` of the events. */
  readonly source: string
  /** How long a vote waits for Kafka's word, milliseconds. */
  readonly patience: number
}

/** Who votes, and what he may vote on. */
export interface Voter {
  /** The salted hash of the user; null if nobody knows. */
  readonly user: string | null
  /** What the limit on one user counts by. */
  readonly name: string
  /** A name for the API key that he votes with; null with a vote token, and through Kafka. */
  readonly key: string | null
  /** The user is whoever asked, unless the vote names another. */
  readonly isAsker: boolean
}

/** Takes votes by id: who votes, on which answer, and into the topic. */
export class BallotBox {
  constructor(private readonly options: BallotOptions) {}

  /**
   * Who sends the vote, by its token or by the bearer token of the request.
   *
   * @throws VOTE_UNAUTHORISED, VOTE_TOKEN_INVALID
   */
  async voterOf(vote: Vote, bearer: string | null, now: Date): Promise<Voter> {
    const { voteKeys } = this.options
    if (vote.token !== null) {
      const token = await readVoteToken(vote.token, voteKeys, now)
      if (token.completion !== answerId(vote.completion))
        throw new BcodError('VOTE_TOKEN_INVALID', 'the vote token belongs to another answer', { place: 'token' })
      // a holder of one token is one voter, whoever he says he is
      return { user: token.user, name: `token ${token.user ?? token.completion}`, key: null, isAsker: false }
    }
    const key = this.keyOf(bearer)
    const sender = `key ${key} ${vote.user === null ? vote.completion : ''}`
    return { ...this.voterNamed(vote.user, sender), key }
  }

  /** A name for the API key that a request comes with. @throws VOTE_UNAUTHORISED */
  keyOf(bearer: string | null): string {
    const key = bearer === null ? null : this.options.apiKeys.nameOf(bearer)
    if (key === null)
      throw new BcodError('VOTE_UNAUTHORISED', 'neither a vote token nor an API key', { place: 'token' })
    return key
  }

  /** Whoever an application says that votes; if nobody, the user who asked. */
  voterNamed(user: string | null, sender: string): Voter {
    const hashed = user === null ? null : hashedUser(user, this.options.userSalt)
    return { user: hashed, name: `${sender} ${hashed ?? ''}`, key: null, isAsker: hashed === null }
  }

  /**
   * Joins the vote with its answer and publishes the event.
   *
   * @returns the id of the event, once Kafka has acknowledged it
   * @throws COMPLETION_UNKNOWN, COMPLETION_EXPIRED, COMPLETION_NOT_VOTABLE, LOG_UNAVAILABLE
   */
  async cast(vote: Vote, voter: Voter, now: Date): Promise<string> {
    const event = await this.join(vote, voter, now)
    await this.publish([event])
    return event.id
  }

  /**
   * The event of a vote, not published yet.
   *
   * @throws COMPLETION_UNKNOWN, COMPLETION_EXPIRED, COMPLETION_NOT_VOTABLE, LOG_UNAVAILABLE
   */
  async join(vote: Vote, voter: Voter, now: Date): Promise<VoteEvent> {
    const completion = await this.answerOf(vote.completion, now)
    const { label, weight, reason } = vote
    const user = voter.isAsker ? completion.user : voter.user
    // up, down, up are three votes at whatever replicas; a vote that is sent again changes nothing in the daemon
    const sequence = vote.sequence ?? randomUUID()
    return voteEvent(completion, { label, weight, reason, user, sequence }, this.options.source, now)
  }

  /** @throws LOG_UNAVAILABLE */
  async publish(events: readonly VoteEvent[]): Promise<void> {
    const { publish, patience } = this.options
    const limit = new AbortController()
    const late = sleep(patience, 'late' as const, { signal: limit.signal }).catch(() => 'late' as const)
    try {
      const outcome = await Promise.race([publish(events), late])
      if (outcome !== 'late') return
    } catch (error) {
      throw unavailable(error instanceof BcodError ? error.code : 'unexpected error', error)
    } finally {
      limit.abort()
    }
    throw unavailable('Kafka did not answer in time')
  }

  private async answerOf(id: string, now: Date): Promise<Completion> {
    const { log, voteTtl } = this.options
    const age = now.getTime() - (completionTime(id)?.getTime() ?? 0)
    if (age > voteTtl)
      throw new BcodError('COMPLETION_EXPIRED', 'the answer is older than gateway.voteTtl', { place: 'completion' })
    const completion = age < -FUTURE_MS ? null : await log.find(id)
    if (completion === null)
      throw new BcodError('COMPLETION_UNKNOWN', 'no answer with this id is in the log', { place: 'completion' })
    if (!completion.votable) {
      const message = `nobody can vote on this answer: ${completion.reason ?? 'unknown'}`
      throw new BcodError('COMPLETION_NOT_VOTABLE', message, { place: 'completion' })
    }
    return completion
  }
}

/** How far the clock of another replica may be ahead. */
const FUTURE_MS = 300_000

const unavailable = (reason: string, cause?: unknown): BcodError =>
  new BcodError('LOG_UNAVAILABLE', `the vote was not acknowledged: ${reason}`, { place: 'stream.topic', cause })
