import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filter, firstValueFrom } from 'rxjs'
import type { Config } from '../config/config.js'
import { requireFor } from '../config/requirements.js'
import { textOptions } from '../config/text-options.js'
import { Daemon } from '../daemon/daemon.js'
import { BcodError } from '../errors.js'
import type { FeedbackDraft } from '../events/encode.js'
import type { AppliedStep } from '../learner/step.js'
import { seededRandom } from '../model/random.js'
import type { FeedbackLog } from '../streams/source.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { TextProcess } from '../text/text-process.js'
import { ANSWER_TOKENS } from './settings.js'
import { judge } from './world/judge.js'
import { Users } from './world/users.js'
import { type DemoPrompt, prompts } from './world/world.js'

/** A log and a way to publish to it: embedded, or a real broker. */
export interface DemoLog {
  readonly log: FeedbackLog
  publish(events: readonly FeedbackDraft[]): Promise<void>
  close(): Promise<void>
}

export interface DemoOptions {
  readonly events: number
  readonly config: Config
  readonly telemetry: Telemetry
  /** Opens the log; `directory` is there for what it keeps and removed afterwards. */
  readonly openLog: (directory: string, config: Config) => Promise<DemoLog>
  /** Where the adapter and the checkpoints are kept; null: a temporary directory that is removed. */
  readonly keep: string | null
  readonly progress?: (row: DemoRow) => void
  /** Told of the daemon before it runs. */
  readonly watch?: (daemon: Daemon) => void
}

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

export interface DemoSummary {
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
  readonly adapter: string
  readonly adapter_sha256: string
  readonly seconds: number
}

/** Answers that measure a share on unseen prompts: each of them this often. */
const UNSEEN_SAMPLES = 2
/** The live table measures unseen prompts this often. */
const UNSEEN_ROUNDS = 8
const POLL_MS = 2

/**
 * The main job, closed-loop: simulated users ask, the current adapter answers, each user votes, the daemon learns from
 * the votes through the same pipeline as in production, and the share of good answers rises.
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const started = performance.now()
  const scratch = mkdtempSync(join(tmpdir(), 'bcod-demo-'))
  const root = options.keep ?? scratch
  const directories = {
    checkpoint: { ...options.config.checkpoint, dir: join(root, 'checkpoints') },
    adapters: { ...options.config.adapters, dir: join(root, 'adapters') },
  }
  const config = requireFor({ ...options.config, ...directories }, 'run')
  const text = await TextProcess.start(config.model.path, {
    timeout: config.limits.tokeniseTimeout,
    text: textOptions(config),
    tries: 5,
  })
  if (!text) throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'the demo talks in text', { place: config.model.path })
  const demoLog = await options.openLog(scratch, config)
  const rows = config.demo.roundSize
  const daemon = new Daemon({
    config,
    log: demoLog.log,
    telemetry: options.telemetry,
    decoder: { rows, length: config.limits.maxLength },
  })
  options.watch?.(daemon)
  const running = daemon.run()
  running.catch(() => undefined)
  try {
    const loop = new ClosedLoop(options, daemon, text, demoLog, config)
    const begun = firstValueFrom(daemon.lifecycle$.pipe(filter((state) => state === 'running')), { defaultValue: null })
    if ((await begun) === null) await running
    const ended = running.then(() => Promise.reject(new BcodError('INTERNAL', 'the daemon ended early')))
    const measured = await Promise.race([loop.run(), ended]).finally(() => loop.abandon())
    daemon.stop()
    await running
    const version = daemon.status().adapter
    const seconds = Math.round((performance.now() - started) / 100) / 10
    return { ...measured, adapter: version ?? 'none', seconds }
  } finally {
    daemon.stop()
    await running.catch(() => undefined)
    await demoLog.close()
    text.close()
    rmSync(scratch, { recursive: true, force: true })
  }
}

/**
 * The loop of questions, answers and votes.
 *
 * The last tenth of the users ask what the first tenth asked, and every measurement on unseen prompts is the same one:
 * with the same random numbers for the sampling. What differs between first and last is then what the adapter has
 * learnt, not who happened to ask.
 */
class ClosedLoop {
  readonly #users: Users
  readonly #steps: AppliedStep[] = []
  readonly #good: boolean[] = []
  readonly #asked: DemoPrompt[] = []
  #published = 0
  #abandoned = false

  constructor(
    private readonly options: DemoOptions,
    private readonly daemon: Daemon,
    private readonly text: TextProcess,
    private readonly log: DemoLog,
    private readonly config: Config,
  ) {
    this.#users = new Users(config.seed, config.demo.noise)
    daemon.step$.subscribe((step) => this.#steps.push(step))
  }

  async run(): Promise<Omit<DemoSummary, 'adapter' | 'seconds'>> {
    const { events } = this.options
    const started = performance.now()
    const unseenFirst = await this.#unseenRate()
    let unseen = unseenFirst
    for (let round = 1; this.#good.length < events && !this.#abandoned; round++) {
      await this.#round()
      if (round % UNSEEN_ROUNDS === 0) unseen = await this.#unseenRate()
      const done = this.#good.length
      const secondsLeft = ((performance.now() - started) / 1000 / done) * (events - done)
      const upRate = share(this.#good.slice(-tenth(events)))
      const step = this.#steps.at(-1) ?? null
      this.options.progress?.({ events: done, total: events, step, upRate, unseenRate: unseen, secondsLeft })
    }
    this.daemon.flush()
    await this.#until(() => this.daemon.waiting === 0)
    const unseenLast = await this.#unseenRate()
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

  /** Ends a loop that waits for a daemon that is gone. */
  abandon(): void {
    this.#abandoned = true
  }

  /** A handful of users ask, are answered by the current adapter, and vote; the daemon trains what they said. */
  async #round(): Promise<void> {
    const { events } = this.options
    const done = this.#good.length
    const part = tenth(events)
    const again = events > part && done >= events - part
    const start = again ? done - (events - part) : done
    // rounds end where the first and the last tenth do
    const ends = [part, events - part, events].filter((end) => end > done)
    const size = Math.min(this.config.demo.roundSize, Math.min(...ends) - done)
    if (!again) this.#asked.push(...Array.from({ length: size }, () => this.#users.ask()))
    const answers = await this.#answer(this.#asked.slice(start, start + size), `votes ${start}`)
    const drafts = answers.map(({ prompt, promptTokens, completionTokens, completion }): FeedbackDraft => {
      const { good, thumbUp } = this.#users.opinion(prompt, completion)
      const number = this.#good.push(good)
      return {
        source: 'bcod-demo',
        id: `vote-${number}`,
        subject: `answer-${number}`,
        label: thumbUp,
        prompt: { kind: 'tokens', tokens: promptTokens },
        completion: { kind: 'tokens', tokens: completionTokens },
      }
    })
    await this.log.publish(drafts)
    this.#published += drafts.length
    await this.#until(() => this.daemon.read >= this.#published && this.daemon.idle)
  }

  /** @param sampling  what the random numbers are for: the same name gives the same ones */
  async #answer(asked: readonly DemoPrompt[], sampling: string) {
    const encoded = await Promise.all(
      asked.map((prompt) =>
        this.text.encodePrompt({ kind: 'messages', messages: [{ role: 'user', content: prompt.text }] }),
      ),
    )
    const seed = Math.floor(seededRandom(this.config.seed, sampling)() * 2 ** 32)
    const { temperature } = this.config.demo
    const how = { maxTokens: ANSWER_TOKENS, temperature, seed, eosIds: this.text.description.endIds }
    const answers = await this.daemon.learner.call('generate', encoded, how)
    const completions = await this.text.decode(answers, { skipSpecialTokens: true })
    return asked.map((prompt, i) => ({
      prompt,
      promptTokens: encoded[i] as readonly number[],
      completionTokens: answers[i] as readonly number[],
      completion: completions[i] as string,
    }))
  }

  async #unseenRate(): Promise<number> {
    const all = Array.from({ length: UNSEEN_SAMPLES }, () => unseenPrompts).flat()
    const good: boolean[] = []
    const { roundSize } = this.config.demo
    for (let start = 0; start < all.length; start += roundSize) {
      const answers = await this.#answer(all.slice(start, start + roundSize), `unseen ${start}`)
      good.push(...answers.map(({ prompt, completion }) => judge(prompt, completion)))
    }
    return share(good)
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition() && !this.#abandoned) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

const unseenPrompts = prompts().filter((prompt) => prompt.unseen)
const tenth = (count: number) => Math.max(1, Math.floor(count / 10))
const share = (values: readonly boolean[]) => values.filter(Boolean).length / Math.max(1, values.length)
const average = (values: readonly number[]) =>
  values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length
