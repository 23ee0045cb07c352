import { setTimeout as sleep } from 'node:timers/promises'
import type { Asked, GatewayProcess } from '../support/gateway-process.js'
import type { PersistentProducer } from './persistent-producer.js'

export type Label = boolean | null

/** One thumb: a click of a person, however often it was sent. */
export interface Thumb {
  readonly label: Label
  /** The ids of events that were acknowledged for it. None for a vote through the topic. */
  readonly events: string[]
  /** It was sent again, because nobody had acknowledged it. */
  wasRepeated: boolean
}

/** All that somebody did with one answer. */
export interface Ballot {
  readonly asked: Asked
  /** The replica that gave the answer. */
  readonly by: GatewayProcess
  /**
   * `named`: each thumb has a `sequence`, and is sent again with it. `plain`: it has none. `topic`: it goes into
   * `gateway.votesTopic`.
   */
  readonly kind: 'named' | 'plain' | 'topic'
  /** In the order of their acknowledgement. */
  readonly thumbs: Thumb[]
  /** One that nobody acknowledged, because the answer was unknown by then. It may have arrived all the same. */
  open: Thumb | null
  /** The gateway said that there is no such answer. */
  isUnknown: boolean
}

export interface VoterOptions {
  /** The replicas that take requests now. */
  readonly replicas: () => readonly GatewayProcess[]
  readonly random: () => number
  readonly producer: PersistentProducer
  readonly votesTopic: string
}

const LABELS: readonly Label[] = [true, false, null]

/** Asks, votes and changes his mind, each time at any replica, until he is told to stop. Sends again what fails. */
export class Voter {
  readonly ballots: Ballot[] = []
  /** Answers that nobody promised a vote on, and requests for one that failed. */
  readonly counts = { untokened: 0, unanswered: 0, repeated: 0 }
  private isActive = true
  private readonly done: Promise<void>

  constructor(
    private readonly name: string,
    private readonly options: VoterOptions,
  ) {
    this.done = this.live()
  }

  /** Resolves when his last vote is acknowledged. */
  async stop(): Promise<void> {
    this.isActive = false
    await this.done
  }

  private async live(): Promise<void> {
    while (this.isActive) {
      await this.askAndVote()
      await sleep(this.below(200))
    }
  }

  private async askAndVote(): Promise<void> {
    const by = this.anyReplica()
    const asked = await by.ask({ user: this.name }).catch(() => null)
    if (asked === null) this.counts.unanswered += 1
    else if (asked.token === null) this.counts.untokened += 1
    else await this.voteOn(asked, by)
  }

  private async voteOn(asked: Asked, by: GatewayProcess): Promise<void> {
    const kind = (['named', 'named', 'plain', 'topic'] as const)[this.below(4)] as Ballot['kind']
    const ballot: Ballot = { asked, by, kind, thumbs: [], open: null, isUnknown: false }
    this.ballots.push(ballot)
    const changes = 1 + this.below(4)
    for (let i = 0; i < changes && !ballot.isUnknown; i++) {
      const before = ballot.thumbs.at(-1)?.label
      const others = LABELS.filter((label) => label !== before)
      await this.cast(ballot, others[this.below(others.length)] as Label)
      await sleep(this.below(100))
    }
  }

  /** Until the thumb is acknowledged; only then is there another one. */
  private async cast(ballot: Ballot, label: Label): Promise<void> {
    const { asked, kind, thumbs } = ballot
    const thumb: Thumb = { label, events: [], wasRepeated: false }
    const sequence = kind === 'plain' ? undefined : String(thumbs.length)
    const vote = { ...asked, label, sequence }
    if (kind === 'topic') {
      const { producer, votesTopic } = this.options
      await producer.send(votesTopic, [{ key: asked.completion, value: JSON.stringify({ ...vote, user: this.name }) }])
    } else {
      // now and then a double click, one half at each replica
      const clicks = kind === 'named' && this.below(5) === 0 ? 2 : 1
      await Promise.all(Array.from({ length: clicks }, () => this.send(ballot, thumb, vote)))
    }
    if (kind === 'topic' || thumb.events.length > 0) thumbs.push(thumb)
    else ballot.open = thumb
  }

  private async send(ballot: Ballot, thumb: Thumb, vote: object): Promise<void> {
    for (;;) {
      const patience = 2_000 + this.below(13_000)
      const said = await this.anyReplica()
        .post('/v1/feedback', vote, {}, patience)
        .then(async (answer) => ({ status: answer.status, body: (await answer.json()) as { event: string } }))
        .catch(() => ({ status: 0, body: { event: '' } }))
      if (said.status === 202) return void thumb.events.push(said.body.event)
      if (said.status === 404) {
        ballot.isUnknown = true
        return
      }
      if (said.status !== 0 && said.status !== 503) throw new Error(`a vote got ${said.status}`)
      thumb.wasRepeated = true
      this.counts.repeated += 1
      await sleep(200)
    }
  }

  private anyReplica(): GatewayProcess {
    const replicas = this.options.replicas()
    return replicas[this.below(replicas.length)] as GatewayProcess
  }

  private below(limit: number): number {
    return Math.floor(this.options.random() * limit)
  }
}
