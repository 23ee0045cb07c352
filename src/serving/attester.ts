import { randomBytes } from 'node:crypto'
import { BcodError } from '../errors.js'
import { contradiction, type Logps } from './attestation.js'
import type { ModelServer, ServedModel } from './model-server.js'
import { secretPrompts, type TokenPair, tokenPairs } from './secret-prompts.js'

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
  /** What the learner computes, by version; null is the base model. */
  readonly #expected = new Map<string | null, Promise<Logps>>()

  constructor(private readonly parts: AttesterParts) {
    this.#prompts = secretPrompts(parts.seed ?? randomBytes(32), parts.vocabSize)
  }

  /** @throws SERVING_MISMATCH, what the server's calls throw, and what the learner throws for the version */
  async attest({ server, place, served, base, version, before }: Claim): Promise<void> {
    if (this.parts.tolerance === 0) return
    const [expected, expectedBase] = [await this.#scores(version), await this.#scores(null)]
    const expectedBefore = before === null || before === version ? null : await this.#scores(before).catch(() => null)
    const evidence = {
      served: await this.#served(server, { name: served, isBase: false }),
      servedBase: await this.#served(server, { name: base, isBase: true }),
      ...{ expected, expectedBase, expectedBefore },
    }
    const found = contradiction(evidence, this.parts.tolerance)
    if (found !== null) throw new BcodError('SERVING_MISMATCH', `${served}: ${found}`, { place })
  }

  /** Forgets what was computed for versions that are no longer wanted. */
  keepOnly(versions: readonly string[]): void {
    for (const version of this.#expected.keys())
      if (version !== null && !versions.includes(version)) this.#expected.delete(version)
  }

  #scores(version: string | null): Promise<Logps> {
    const known = this.#expected.get(version)
    if (known !== undefined) return known
    const computing = this.parts.scores(version, tokenPairs(this.#prompts))
    this.#expected.set(version, computing)
    // a failure is not kept
    computing.catch(() => this.#expected.delete(version))
    return computing
  }

  async #served(server: ModelServer, model: ServedModel): Promise<Logps> {
    const found: Logps[] = []
    for (const tokens of this.#prompts) found.push(await server.logps(model, tokens))
    return found.flat()
  }
}
