import type { Config } from '../config/config.js'
import type { Daemon } from '../daemon/daemon.js'
import type { FeedbackDraft } from '../events/encode.js'
import type { AppliedStep } from '../learner/step.js'
import type { Answer, Shop } from './shop.js'
import { judge } from './world/judge.js'
import { Users } from './world/users.js'
import type { DemoPrompt } from './world/world.js'

/** One line of the live table. Rates are true shares of good answers, 0..1. */
export interface DemoRow {
  readonly events: number
  readonly total: number
  readonly step: AppliedStep | null
  /** Over the last tenth of the events. */
  readonly upRate: number
  /** On prompts that never train, as measured last. */
  readonly unseenRate: number
  readonly secondsLeft: number
}

/** What the votes of everybody have taught. */
export interface LoopSummary {
  readonly events: number
  readonly steps: number
  /** True share of good answers in the first and in the last tenth of the events. */
  readonly up_rate_first: number
  readonly up_rate_last: number
  /** The same on prompts that never train, before the first and after the last step. */
  readonly unseen_rate_first: number
  readonly unseen_rate_last: number
  /** Mean over the first and the last tenth of the steps. */
  readonly loss_first: number | null
  readonly loss_last: number | null
  readonly delta: number
  /** Mean reward of thumbs-up minus that of thumbs-down, over the last tenth of the steps. */
  readonly margin: number | null
  readonly adapter_sha256: string
}

export interface ClosedLoopOptions {
  /** Votes in all. */
  readonly events: number
  readonly config: Pick<Config, 'seed' | 'demo'>
  readonly progress?: ((row: DemoRow) => void) | undefined
}

/** The live table measures unseen prompts this often. */
const UNSEEN_ROUNDS = 8

/**
 * The loop of questions, answers and votes.
 *
 * The last tenth of the users ask what the first tenth asked, and every measurement on unseen prompts is the same one:
 * with the same random numbers for the sampling. What differs between first and last is then what the adapter has
 * learnt, not who happened to ask.
 */
export class ClosedLoop {
  readonly #users: Users
  readonly #steps: AppliedStep[] = []
  readonly #good: boolean[] = []
  readonly #asked: DemoPrompt[] = []

  constructor(
    private readonly options: ClosedLoopOptions,
    private readonly shop: Shop,
    step$: Daemon['step$'],
  ) {
    this.#users = new Users(options.config.seed, options.config.demo.noise)
    step$.subscribe((step) => this.#steps.push(step))
  }

  async run(): Promise<LoopSummary> {
    const { events } = this.options
    const started = performance.now()
    const unseenFirst = await this.#unseenRate()
    let unseen = unseenFirst
    for (let round = 1; this.#good.length < events; round++) {
      await this.#round()
      if (round % UNSEEN_ROUNDS === 0) unseen = await this.#unseenRate()
      const done = this.#good.length
      const secondsLeft = ((performance.now() - started) / 1000 / done) * (events - done)
      const upRate = share(this.#good.slice(-tenth(events)))
      const step = this.#steps.at(-1) ?? null
      this.options.progress?.({ events: done, total: events, step, upRate, unseenRate: unseen, secondsLeft })
    }
    await this.shop.flush()
    return this.#summary(unseenFirst, await this.#unseenRate())
  }

  #summary(unseenFirst: number, unseenLast: number): LoopSummary {
    const { events } = this.options
    const last = this.#steps.slice(-tenth(this.#steps.length))
    const mean = (values: readonly (number | null)[]) => average(values.filter((v): v is number => v !== null))
    const [up, down] = [mean(last.map((s) => s.rewardUpMean)), mean(last.map((s) => s.rewardDownMean))]
    return {
      events,
      steps: this.#steps.length,
      up_rate_first: share(this.#good.slice(0, tenth(events))),
      up_rate_last: share(this.#good.slice(-tenth(events))),
      unseen_rate_first: unseenFirst,
      unseen_rate_last: unseenLast,
      loss_first: mean(this.#steps.slice(0, tenth(this.#steps.length)).map((s) => s.loss)),
      loss_last: mean(last.map((s) => s.loss)),
      delta: this.#steps.at(-1)?.delta ?? 0,
      adapter_sha256: this.#steps.at(-1)?.adapterSha256 ?? '',
      margin: up === null || down === null ? null : up - down,
    }
  }

  /** A handful of users ask, are answered by the current adapter, and vote; the daemon trains what they said. */
  async #round(): Promise<void> {
    const { events, config } = this.options
    const done = this.#good.length
    const part = tenth(events)
    const again = events > part && done >= events - part
    const start = again ? done - (events - part) : done
    // rounds end where the first and the last tenth do
    const ends = [part, events - part, events].filter((end) => end > done)
    const size = Math.min(config.demo.roundSize, Math.min(...ends) - done)
    if (!again) this.#asked.push(...Array.from({ length: size }, () => this.#users.ask()))
    const answers = await this.shop.answer(this.#asked.slice(start, start + size), `votes ${start}`)
    await this.shop.vote(answers.map((answer) => this.#vote(answer)))
  }

  #vote(answer: Answer): FeedbackDraft {
    const { good, thumbUp } = this.#users.opinion(answer.prompt, answer.completion)
    const number = this.#good.push(good)
    return draftOf(answer, { source: SOURCE, id: `vote-${number}`, subject: `answer-${number}`, label: thumbUp })
  }

  async #unseenRate(): Promise<number> {
    return share((await this.shop.unseenAnswers()).map(({ prompt, completion }) => judge(prompt, completion)))
  }
}

/** Where the votes of everybody come from. */
export const SOURCE = 'bcod-demo'

/** A vote as it is published. */
export const draftOf = (
  { promptTokens, completionTokens }: Answer,
  vote: Pick<FeedbackDraft, 'source' | 'id' | 'subject' | 'label'>,
): FeedbackDraft => ({
  ...vote,
  prompt: { kind: 'tokens', tokens: promptTokens },
  completion: { kind: 'tokens', tokens: completionTokens },
})

const tenth = (count: number) => Math.max(1, Math.floor(count / 10))
const share = (values: readonly boolean[]) => values.filter(Boolean).length / Math.max(1, values.length)
const average = (values: readonly number[]) =>
  values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length
