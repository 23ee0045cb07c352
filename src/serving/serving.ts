import { join } from 'node:path'
import { BcodError } from '../errors.js'
import type { Attester } from './attester.js'
import { ReplicaMemory } from './replica-memory.js'
import { findReplicas, type Replica, type ReplicaOptions, servedName, type Target, versionOf } from './replicas.js'

export interface ServingParts {
  readonly targets: readonly Target[]
  readonly options: ReplicaOptions
  /** The registry, as an absolute path. */
  readonly directory: string
  /** Sees to it that the files of a version are there. @default they are */
  readonly prepare?: (version: string) => Promise<unknown>
  readonly attester: Pick<Attester, 'attest' | 'keepOnly'>
  /** The versions that servers should have loaded: the live one, then those that were live before it, newest first. */
  readonly wanted: () => readonly string[]
  /** Those of them beside the live one that some users get: they are attested too. @default none */
  readonly answering?: () => readonly string[]
  /** Asked as a version is published: whether it may still go live. It is not unloaded meanwhile. */
  readonly pending: (version: string) => () => boolean
  /** Milliseconds since any moment. @default `Date.now` */
  readonly now?: () => number
  /** Called at each look at a server. */
  readonly looked: (look: Look) => void
  /** Called once for a server that is no longer among the targets. */
  readonly gone: (replica: string) => void
  /** Called with an error that is no single server's. */
  readonly failed: (error: unknown) => void
  /** Called at each point of `publish` that a server reaches. @default nobody is told */
  readonly onStage?: (stage: 'server loaded' | 'server attested') => void
}

/** What a look at one server found. */
export interface Look {
  /** Host and port. */
  readonly replica: string
  /** The newest wanted version that it has loaded; null if none, or if it does not answer. */
  readonly version: string | null
  /** What is wrong; null if nothing is, or not any more. */
  readonly problem: unknown
  /** What was missing or wrong before this look, which has mended it. */
  readonly mended: BcodError | null
  /** Whether the look before this one found something else. */
  readonly isNews: boolean
}

const LONGEST_WAIT = 32

/** How many requests a command may make, one after the other, between a load and its move. */
const PATIENCE = 5

interface Undecided {
  readonly version: string
  readonly isPending: () => boolean
}

/**
 * Keeps every server of `publish.targets` at the live version. A new version gets a name of its own on every server; it
 * is loaded, read back and attested there before it may go live. Calls run one after the other.
 */
export class Serving {
  readonly #memory = new Map<string, ReplicaMemory>()
  /** Versions that were published, until it is decided what becomes of them. One that two ask for is there twice. */
  #undecided: readonly Undecided[] = []
  #last: Promise<unknown> = Promise.resolve()

  constructor(private readonly parts: ServingParts) {}

  /** Versions that some server had loaded at the last look, or is about to load: their files must stay. */
  get loaded(): ReadonlySet<string> {
    const loaded = [...this.#memory.values()].flatMap((memory) => [...memory.loaded])
    return new Set([...loaded, ...this.#undecided.map(({ version }) => version)])
  }

  /**
   * Makes every server answer a version under its own name. If one fails, the version is unloaded wherever this call has
   * loaded it, unless it is wanted anyway, and what servers served before stays as it was. What has been published is
   * kept until it is wanted, or `withdraw` is called.
   *
   * @throws the first server's error, which says how many failed; what the learner throws for the version
   */
  publish(version: string): Promise<void> {
    return this.#exclusively(async () => {
      const undecided = this.#decideLater(version)
      const loaded: Replica[] = []
      try {
        await this.#serveOnAll(version, (replica) => loaded.push(replica))
      } catch (error) {
        this.#undecided = this.#undecided.filter((each) => each !== undecided)
        if (!this.#isKept(version)) await Promise.allSettled(loaded.map((replica) => this.#unload(replica, version)))
        throw error
      }
    })
  }

  /**
   * As `publish`, for a version that goes live even if a server fails: the others keep it. Waits for no other call.
   *
   * @throws as `publish`
   */
  async publishWherePossible(version: string): Promise<void> {
    this.#decideLater(version)
    await this.#serveOnAll(version, () => {})
  }

  #decideLater(version: string): Undecided {
    const undecided = { version, isPending: this.parts.pending(version) }
    this.#undecided = [...this.#undecided, undecided]
    return undecided
  }

  async #serveOnAll(version: string, loaded: (replica: Replica) => void): Promise<void> {
    const { replicas, errors } = await this.#find()
    const before = this.parts.wanted().find((each) => each !== version) ?? null
    const outcomes = await Promise.allSettled(
      replicas.map(async (replica) => {
        await this.#serve(replica, version, before, () => {
          loaded(replica)
          this.parts.onStage?.('server loaded')
        })
        this.parts.onStage?.('server attested')
      }),
    )
    const failures = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []))
    if (errors.length + failures.length > 0) throw errors[0] ?? ofSeveral(failures, replicas.length)
  }

  /**
   * Unloads a version that does not go live after all, unless it is wanted, or somebody else has published it too. A
   * server that is away is left.
   */
  withdraw(version: string): Promise<void> {
    return this.#exclusively(async () => {
      const withdrawn = this.#undecided.find((each) => each.version === version)
      this.#undecided = this.#undecided.filter((each) => each !== withdrawn)
      if (this.#isKept(version)) return
      const { replicas } = await this.#find()
      await Promise.allSettled(replicas.map((replica) => this.#unload(replica, version)))
    })
  }

  /**
   * Looks at every server: a wanted version that is missing is loaded and attested, those that users get are attested,
   * and others are unloaded. Whatever goes wrong is told, and the next call tries again.
   */
  probe(): Promise<void> {
    return this.#exclusively(async () => {
      const { attester, failed } = this.parts
      const { replicas, errors } = await this.#find()
      errors.forEach(failed)
      const wanted = this.parts.wanted()
      this.#undecided = this.#undecided.filter(({ isPending }) => isPending())
      attester.keepOnly([...wanted, ...this.#undecided.map(({ version }) => version)])
      await Promise.all(replicas.map((replica) => this.#look(replica, wanted)))
    })
  }

  /** The name under which the first server that answers knows the base model; null if none answers. */
  async base(): Promise<string | null> {
    const { replicas } = await this.#find()
    for (const { server } of replicas) {
      const models = await server.models().catch(() => null)
      if (models !== null) return models.base
    }
    return null
  }

  /** Whether a version is wanted, or may be soon. */
  #isKept(version: string): boolean {
    return this.parts.wanted().includes(version) || this.#isUndecided(version)
  }

  #isUndecided(version: string): boolean {
    return this.#undecided.some((each) => each.version === version)
  }

  #exclusively<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#last.then(task)
    this.#last = run.catch(() => {})
    return run
  }

  async #find() {
    const found = await findReplicas(this.parts.targets, this.parts.options)
    const ids = new Set(found.replicas.map(({ id }) => id))
    // a name that cannot be resolved now says nothing of its servers
    for (const id of found.errors.length > 0 ? [] : [...this.#memory.keys()].filter((known) => !ids.has(known))) {
      this.#memory.delete(id)
      this.parts.gone(id)
    }
    return found
  }

  #memoryOf({ id }: Replica): ReplicaMemory {
    const memory = this.#memory.get(id) ?? new ReplicaMemory()
    this.#memory.set(id, memory)
    return memory
  }

  async #look(replica: Replica, wanted: readonly string[]): Promise<void> {
    let mended: BcodError | null = null
    let problem: unknown = null
    const memory = this.#memoryOf(replica)
    try {
      await this.#forgetRefusals(replica, memory)
      const [live, before = null] = wanted
      if (live !== undefined) mended = await this.#mend(replica, live, before)
      for (const other of this.parts.answering?.() ?? [])
        mended = (await this.#mend(replica, other, live ?? null)) ?? mended
    } catch (error) {
      problem = error
    }
    const isAway = problem instanceof BcodError && problem.retryable
    if (isAway) memory.refused.clear()
    else
      await this.#tidy(replica, wanted).catch((error: unknown) => {
        problem ??= error
      })
    const version = isAway ? null : (wanted.find((each) => memory.loaded.has(each)) ?? null)
    const found = problem === null ? 'fine' : String(problem)
    const isNews = found !== memory.found || mended !== null
    memory.found = found
    this.parts.looked({ replica: replica.id, version, problem, mended, isNews })
  }

  /** Makes a server serve a version that users get; what was wrong, if something was. */
  async #mend(replica: Replica, live: string, before: string | null): Promise<BcodError | null> {
    const memory = this.#memoryOf(replica)
    const { id } = replica
    let wrong: BcodError | null = null
    try {
      await this.#serve(replica, live, before, () => {
        wrong = new BcodError('SERVING_MISSING', `${live} was not loaded`, { place: id })
      })
    } catch (error) {
      if (!(error instanceof BcodError) || error.code !== 'SERVING_MISMATCH') throw error
      if (memory.wait > 0) {
        memory.wait -= 1
        throw error
      }
      memory.wait = memory.nextWait
      memory.nextWait = Math.min(2 * memory.nextWait, LONGEST_WAIT)
      await this.#unload(replica, live)
      await this.#serve(replica, live, before, () => {})
      wrong = error
    }
    memory.wait = 0
    memory.nextWait = 1
    return wrong
  }

  /** Loads the other wanted versions, to which a rollback leads, and unloads what is not wanted any more. */
  async #tidy(replica: Replica, [live, ...older]: readonly string[]): Promise<void> {
    const { server, target } = replica
    for (const version of older) await this.#ensureLoaded(replica, version, () => {})
    const { adapters } = await server.models()
    const versions = [...adapters.keys()].flatMap((name) => versionOf(target, name) ?? [])
    const memory = this.#memoryOf(replica)
    const isKept = (version: string) => version === live || older.includes(version) || this.#isUndecided(version)
    const { now = Date.now, options } = this.parts
    memory.listed(versions, isKept, now())
    const patience = PATIENCE * options.timeout
    for (const version of versions) {
      const since = memory.foreignSince(version)
      if (!isKept(version) && (since === null || now() >= since + patience)) await this.#unload(replica, version)
    }
  }

  /** Loads, reads back and attests a version. */
  async #serve(replica: Replica, version: string, before: string | null, loaded: () => void): Promise<void> {
    const { server, target, id: place } = replica
    const base = await this.#ensureLoaded(replica, version, loaded)
    await this.parts.attester.attest({ server, place, served: servedName(target, version), base, version, before })
  }

  /** The name of the server's base model, once the version is loaded there. */
  async #ensureLoaded(replica: Replica, version: string, loaded: () => void): Promise<string> {
    const { server, target } = replica
    const served = servedName(target, version)
    // a server reads the files of what it has loaded again
    await this.parts.prepare?.(version)
    const directory = join(target.path ?? this.parts.directory, version)
    const { base, adapters } = await server.models()
    if (adapters.get(served) === directory) return base
    if (adapters.has(served)) await server.unload(served)
    await this.#load(replica, version, directory)
    loaded()
    return base
  }

  /** A load whose answer was lost may have happened, and one that was reported may not have: the list tells. */
  async #load(replica: Replica, version: string, directory: string): Promise<void> {
    const { server, target, id: place } = replica
    const memory = this.#memoryOf(replica)
    const known = memory.refused.get(version)
    if (known !== undefined) throw known
    const name = servedName(target, version)
    const failure: unknown = await server.load(name, directory).then(
      () => null,
      (error: unknown) => error,
    )
    const isRefused = failure instanceof BcodError && !failure.retryable
    if (!isRefused) memory.add(version)
    if ((await server.models()).adapters.get(name) === directory) return
    if (isRefused) memory.refused.set(version, failure)
    throw failure ?? new BcodError('SERVING_ANSWER', `it has loaded ${name} and does not list it`, { place })
  }

  async #unload(replica: Replica, version: string): Promise<void> {
    await replica.server.unload(servedName(replica.target, version))
    this.#memoryOf(replica).remove(version)
  }

  /** A server that has lost what it had loaded has restarted, perhaps with other options. */
  async #forgetRefusals({ server, target }: Replica, memory: ReplicaMemory): Promise<void> {
    if (memory.refused.size === 0) return
    const { adapters } = await server.models()
    if ([...memory.loaded].some((version) => !adapters.has(servedName(target, version)))) memory.refused.clear()
  }
}

function ofSeveral(failures: readonly unknown[], servers: number): unknown {
  const [first] = failures
  if (!(first instanceof BcodError) || servers === 1) return first
  const message = `${first.message} (${failures.length} of ${servers} servers failed)`
  const { place, remedy } = first
  return new BcodError(first.code, message, { cause: first, remedy, ...(place !== undefined && { place }) })
}
