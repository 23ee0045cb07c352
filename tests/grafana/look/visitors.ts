import { armOf, type Routing } from '../../../src/adapters/registry/routing.js'
import type { Config } from '../../../src/config/config.js'
import type { Daemon } from '../../../src/daemon/daemon.js'
import { openShopText } from '../../../src/demo/open-shop.js'
import { ANSWER_TOKENS } from '../../../src/demo/settings.js'
import { Users } from '../../../src/demo/world/users.js'
import type { FeedbackDraft } from '../../../src/events/encode.js'
import type { TextProcess } from '../../../src/text/text-process.js'

/** What a router knows of the demo's users: who they are, whose arm they are in, and which version answered them. */
export class Visitors {
  daemon: Daemon | null = null
  #seen = 0
  readonly #users: Users

  private constructor(
    private readonly config: Config,
    private readonly text: TextProcess,
  ) {
    this.#users = new Users(config.seed + 1, config.demo.noise)
  }

  static async start(config: Config): Promise<Visitors> {
    const { path } = config.model
    const text = await openShopText({ ...config, model: { ...config.model, path: path as string } })
    return new Visitors(config, text)
  }

  /** Votes on the learner's answers, each by a new user of the arm that gets them. */
  named(events: readonly FeedbackDraft[]): readonly FeedbackDraft[] {
    return events.map((event) => ({ ...event, ...this.#nextOf('live') }))
  }

  /** As many new users of control ask; the base model answers, and they vote as all users do. */
  async ofControl(count: number): Promise<readonly FeedbackDraft[]> {
    const visitors = Array.from({ length: count }, () => this.#nextOf('control')).filter(({ user }) => user !== null)
    const asked = visitors.map(() => this.#users.ask())
    const prompts = await Promise.all(
      asked.map(({ text }) =>
        this.text.encodePrompt({ kind: 'messages', messages: [{ role: 'user', content: text }] }),
      ),
    )
    if (prompts.length === 0) return []
    const how = { maxTokens: ANSWER_TOKENS, temperature: this.config.demo.temperature, seed: this.#seen }
    const eosIds = this.text.description.endIds
    const answers = await this.daemon!.learner.call('answersUnder', null, prompts, { ...how, eosIds })
    const said = await this.text.decode(answers, { skipSpecialTokens: true })
    return visitors.map((visitor, i) => ({
      ...{ ...visitor, source: 'control', id: `control-${visitor.user}`, subject: `answer-${visitor.user}` },
      label: this.#users.opinion(asked[i]!, said[i]!).thumbUp,
      prompt: { kind: 'tokens', tokens: prompts[i]! },
      completion: { kind: 'tokens', tokens: answers[i]! },
    }))
  }

  close(): void {
    this.text.close()
  }

  /** Without a user as long as nobody is in the arm. */
  #nextOf(arm: string): { readonly user: string | null; readonly adapter: string | null } {
    const routing = (this.daemon?.routing() ?? null) as Routing | null
    if (!routing?.arms.some(({ name }) => name === arm)) return { user: null, adapter: null }
    for (;;) {
      const user = `visitor-${++this.#seen}`
      const found = armOf(routing, user)
      if (found?.name === arm) return { user, adapter: found.model }
    }
  }
}
