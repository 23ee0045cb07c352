import type { Adapter } from '../adapters/weights/adapter.js'
import { piecesOf } from '../learner/pieces.js'
import { usedPlaces } from '../learner/place-times.js'
import type { LearnerCalls } from '../learner/protocol.js'
import type { TokenPair } from '../text/tokenise-pairs.js'
import type { GateModel, GateVersion, Side } from './check.js'

type Calls = Pick<LearnerCalls, 'logpsUnder' | 'divergences' | 'answersUnder' | 'weightNorms' | 'device'>

/** The learner's calls, wherever it runs. */
export type LearnerCall = <N extends keyof Calls>(
  name: N,
  ...args: Parameters<Calls[N]>
) => ReturnType<Calls[N]> | Promise<ReturnType<Calls[N]>>

export interface LearnerModelOptions {
  readonly call: LearnerCall
  /** Tokens that the learner packs together: `batch.tokens`, a packed batch of a step. */
  readonly tokens: number
  /** Prompts that a place answers at once. */
  readonly rows: number
  /** The adapter of `model.reference`. @default none: the base */
  readonly reference?: Adapter | null
  /** Ids that end an answer. */
  readonly endIds: ReadonlySet<number>
}

/** One number for each pair; null for one that is too long. */
type Numbers = readonly (number | null)[]

/** How many modules are read from the model's files in one call: about a decoder layer. */
const MODULES = 7

/**
 * Has a learner compute for a gate, in calls no longer than a packed batch at every place. What the base says of the
 * same pairs never changes, and the candidate's figures become the live version's: they are kept.
 */
export class LearnerModel {
  /** Log-probabilities by adapter: a version, `base` or `reference`. */
  readonly #known = new Map<string, WeakMap<TokenPair, number | null>>()
  #norms: ReadonlyMap<string, number> = new Map()

  constructor(private readonly options: LearnerModelOptions) {}

  /** For one candidate. */
  of(candidate: GateVersion, live: GateVersion | null, signal: AbortSignal): GateModel {
    const kept = new Set(['base', 'reference', candidate.version, live?.version])
    for (const version of this.#known.keys()) if (!kept.has(version)) this.#known.delete(version)
    const { reference = null } = this.options
    const sides = { candidate, live, base: null, reference: reference && { version: 'reference', adapter: reference } }
    const adapterOf = (side: Side): Adapter | null => sides[side]?.adapter ?? null
    return {
      logps: (side, pairs) => this.#logps(sides[side]?.version ?? 'base', adapterOf(side), pairs, signal),
      divergences: (other, pairs) =>
        this.#pieces(pairs, signal, (piece) =>
          this.options.call('divergences', candidate.adapter, adapterOf(other), piece),
        ),
      answers: (side, prompts, maxTokens) => this.#answers(adapterOf(side), prompts, maxTokens, signal),
      weightNorms: (modules) => this.#weightNorms(modules, signal),
    }
  }

  async #logps(version: string, adapter: Adapter | null, pairs: readonly TokenPair[], signal: AbortSignal) {
    const known = this.#known.get(version) ?? new WeakMap<TokenPair, number | null>()
    this.#known.set(version, known)
    const unknown = pairs.filter((pair) => !known.has(pair))
    const logps = await this.#pieces(unknown, signal, (piece) => this.options.call('logpsUnder', adapter, piece))
    for (const [i, pair] of unknown.entries()) known.set(pair, logps[i] as number | null)
    return pairs.map((pair) => known.get(pair) as number | null)
  }

  /** One number for each pair. */
  async #pieces(
    pairs: readonly TokenPair[],
    signal: AbortSignal,
    compute: (pieces: readonly TokenPair[]) => Numbers | Promise<Numbers>,
  ): Promise<Numbers> {
    const pieces = piecesOf(pairs, this.options.tokens)
    const places = await this.#places()
    const values: (number | null)[] = []
    for (let start = 0; start < pieces.length; start += places) {
      signal.throwIfAborted()
      values.push(...(await compute(pieces.slice(start, start + places).flat())))
    }
    return values
  }

  async #answers(
    adapter: Adapter | null,
    prompts: readonly (readonly number[])[],
    maxTokens: number,
    signal: AbortSignal,
  ): Promise<readonly (readonly number[])[]> {
    const { call, rows, endIds } = this.options
    const atOnce = rows * (await this.#places())
    const answers: (readonly number[])[] = []
    for (let start = 0; start < prompts.length; start += atOnce) {
      signal.throwIfAborted()
      const options = { maxTokens, temperature: 0, seed: 0, eosIds: endIds }
      answers.push(...(await call('answersUnder', adapter, prompts.slice(start, start + atOnce), options)))
    }
    return answers
  }

  /** How many compute at the same time: workers come and go. */
  async #places(): Promise<number> {
    return usedPlaces((await this.options.call('device')).places)
  }

  async #weightNorms(modules: readonly string[], signal: AbortSignal): Promise<readonly number[]> {
    const missing = modules.filter((module) => !this.#norms.has(module))
    const norms = new Map(this.#norms)
    for (let start = 0; start < missing.length; start += MODULES) {
      signal.throwIfAborted()
      const some = missing.slice(start, start + MODULES)
      const values = await this.options.call('weightNorms', some)
      for (const [i, module] of some.entries()) norms.set(module, values[i] as number)
    }
    this.#norms = norms
    return modules.map((module) => norms.get(module) as number)
  }
}
