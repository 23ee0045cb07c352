import type { Config } from '../config/config.js'
import type { Daemon } from '../daemon/daemon.js'
import { BcodError } from '../errors.js'
import type { FeedbackDraft } from '../events/encode.js'
import { seededRandom } from '../model/random.js'
import type { TextProcess } from '../text/text-process.js'
import { ANSWER_TOKENS } from './settings.js'
import { type DemoPrompt, unseenPrompts } from './world/world.js'

/** A question and what the model said to it. */
export interface Answer {
  readonly prompt: DemoPrompt
  readonly promptTokens: readonly number[]
  readonly completionTokens: readonly number[]
  readonly completion: string
}

export interface ShopParts {
  readonly daemon: Pick<Daemon, 'learner' | 'read' | 'idle' | 'waiting' | 'flush'>
  readonly text: Pick<TextProcess, 'encodePrompt' | 'decode' | 'description'>
  readonly publish: (events: readonly FeedbackDraft[]) => Promise<void>
  readonly config: Pick<Config, 'seed' | 'demo'>
}

/** Answers that measure a share on unseen prompts: each of them this often. */
const UNSEEN_SAMPLES = 2
const POLL_MS = 2

/** The chat of the web shop: the learner's adapter of now answers, and the daemon trains on the votes. */
export class Shop {
  #isClosed = false

  constructor(private readonly parts: ShopParts) {}

  /** Ends what waits for a daemon that is gone. */
  close(): void {
    this.#isClosed = true
  }

  /**
   * The answers of the adapter as it is now, at `demo.temperature`.
   *
   * @param sampling  what the random numbers are for: the same name gives the same ones
   */
  async answer(asked: readonly DemoPrompt[], sampling: string): Promise<readonly Answer[]> {
    const { daemon, text, config } = this.parts
    const encoded = await Promise.all(
      asked.map((prompt) =>
        text.encodePrompt({ kind: 'messages', messages: [{ role: 'user', content: prompt.text }] }),
      ),
    )
    const seed = Math.floor(seededRandom(config.seed, sampling)() * 2 ** 32)
    const { temperature } = config.demo
    const how = { maxTokens: ANSWER_TOKENS, temperature, seed, eosIds: text.description.endIds }
    const answers = await daemon.learner.call('generate', encoded, how)
    const completions = await text.decode(answers, { skipSpecialTokens: true })
    return asked.map((prompt, i) => ({
      prompt,
      promptTokens: encoded[i] as readonly number[],
      completionTokens: answers[i] as readonly number[],
      completion: completions[i] as string,
    }))
  }

  /** Publishes votes, and waits until the daemon has trained every full batch. */
  async vote(drafts: readonly FeedbackDraft[]): Promise<void> {
    const { daemon, publish } = this.parts
    const expected = daemon.read + drafts.length
    await publish(drafts)
    await this.caughtUp(expected)
  }

  /** Trains what is left, in a smaller batch. */
  async flush(): Promise<void> {
    const { daemon } = this.parts
    daemon.flush()
    await this.until(() => daemon.waiting === 0)
  }

  /** Waits until the daemon has read so many records in all, and trained every full batch of them. */
  async caughtUp(records: number): Promise<void> {
    const { daemon } = this.parts
    await this.until(() => daemon.read >= records && daemon.idle)
  }

  /** Answers to the prompts that never train. The random numbers are the same each time. */
  async unseenAnswers(): Promise<readonly Answer[]> {
    return this.answer(Array.from({ length: UNSEEN_SAMPLES }, () => unseenPrompts).flat(), 'unseen')
  }

  /** @throws NOT_RUNNING once the shop is closed */
  async until(condition: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await condition())) {
      if (this.#isClosed) throw new BcodError('NOT_RUNNING', 'the daemon has ended')
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }
}
