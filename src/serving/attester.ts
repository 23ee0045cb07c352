import { randomBytes } from 'node:crypto'
import { BcodError } from '../errors.js'
import { contradiction, type Logps } from './attestation.js'
import { LIKELIEST, type ModelServer, type ServedModel } from './model-server.js'
import { secretPrompts, type TokenPair } from './secret-prompts.js'

export interface AttesterParts {
  /** `publish.attest`: largest root mean square difference, nats per token; 0 attests nothing. */
  readonly tolerance: number
  /** Token ids are below it. */
  readonly vocabSize: number
  /** The learner's log-probability of each completion under a version, or under the base model for null. */
  readonly scores: (version: string | null, pairs: readonly TokenPair[]) => Promise<Logps>
  /** @default random bytes, which no one else knows */
  readonly seed?: Uint8Array
}

/** A server says that it serves a version. */
export interface Claim {
  readonly server: ModelServer
  /** How an error names the server. */
  readonly place: string
  /** The name under which the version is served, and that of the base model. */
  readonly served: string
  readonly base: string
  readonly version: string
  /** The version that was live before, which the server might serve in its place; null if there is none. */
  readonly before: string | null
}

/** Compares what servers answer with what the learner computes, on prompts that nobody else knows. */
export class Attester {
  readonly #prompts: readonly (readonly number[])[]
  /** What the learner has computed: by version, empty for the base model, and by prompt and token. */
  readonly #known = new Map<string, Map<string, number>>()

  constructor(private readonly parts: AttesterParts) {
    this.#prompts = secretPrompts(parts.seed ?? randomBytes(32), parts.vocabSize)
  }

  /** @throws SERVING_MISMATCH, what the server's calls throw, and what the learner throws for the version */
  async attest({ server, place, served, base, version, before }: Claim): Promise<void> {
    if (this.parts.tolerance === 0) return
    const answers = await this.#ask(server, { name: served, isBase: false })
    const baseAnswers = await this.#ask(server, { name: base, isBase: true })
    const isOther = before !== null && before !== version
    const found = contradiction(
      {
        served: answers.map(({ logp }) => logp),
        expected: await this.#scores(version, answers),
        expectedBase: await this.#scores(null, answers),
        expectedBefore: isOther ? await this.#scores(before, answers).catch(() => null) : null,
        base: { served: baseAnswers.map(({ logp }) => logp), expected: await this.#scores(null, baseAnswers) },
      },
      this.parts.tolerance,
    )
    if (found !== null) throw new BcodError('SERVING_MISMATCH', `${served}: ${found}`, { place })
  }

  /** Forgets what was computed for versions that are no longer wanted. */
  keepOnly(versions: readonly string[]): void {
    for (const version of this.#known.keys())
      if (version !== BASE && !versions.includes(version)) this.#known.delete(version)
  }

  /** The likeliest tokens after each prompt. */
  async #ask(server: ModelServer, model: ServedModel): Promise<readonly Answered[]> {
    const answers: Answered[] = []
    for (const [i, prompt] of this.#prompts.entries())
      for (const { id, logp } of (await server.likeliest(model, prompt)).slice(0, LIKELIEST))
        answers.push({ key: `${i} ${id}`, pair: { promptTokens: prompt, completionTokens: [id] }, logp })
    return answers
  }

  /** The learner's log-probabilities of the same tokens; null is the base model. Each is computed once. */
  async #scores(version: string | null, answers: readonly Answered[]): Promise<Logps> {
    const known = this.#known.get(version ?? BASE) ?? new Map<string, number>()
    const missing = answers.filter(({ key }) => !known.has(key))
    if (missing.length > 0) {
      const pairs = missing.map(({ pair }) => pair)
      const logps = await this.parts.scores(version, pairs)
      for (const [i, { key }] of missing.entries()) known.set(key, logps[i] as number)
      this.#known.set(version ?? BASE, known)
    }
    return answers.map(({ key }) => known.get(key) as number)
  }
}

const BASE = ''

/** A token that a server gave, after one of the prompts. */
interface Answered {
  /** Tells prompt and token. */
  readonly key: string
  readonly pair: TokenPair
  readonly logp: number
}
