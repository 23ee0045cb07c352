import type { Registry } from '../../adapters/registry/registry.js'
import { versionStep } from '../../adapters/versions/version.js'
import { BcodError } from '../../errors.js'
import type { TrainingEvent } from '../../events/types.js'
import type { LearnerSnapshot } from '../../learner/protocol.js'
import { Failed } from '../../telemetry/events/daemon.js'
import { AdapterPublished } from '../../telemetry/events/storage.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { Gatekeeper } from './gatekeeper.js'
import type { RegistryWatch } from './registry-watch.js'
import type { ServingWatch } from './serving-watch.js'
import type { VoteTally } from './vote-tally.js'

export interface AdapterPublisherParts {
  readonly registry: Registry
  readonly watch: RegistryWatch
  readonly tally: VoteTally
  readonly gate: Pick<Gatekeeper, 'passes'>
  /** Hash of the settings that decide what is learnt. */
  readonly configSha256: string
  /** `manual`: a version waits until somebody promotes it. */
  readonly mode: 'auto' | 'manual'
  /** Training goes wrong, and a person has not looked at it yet: nothing goes live by itself. */
  readonly guarded: () => boolean
  /** Share of the users that get a version before it goes live; 0: there is no canary. */
  readonly canaryShare: number
  /** The servers that must have a version before it goes live; null: there are none. */
  readonly servers: Pick<ServingWatch, 'publish' | 'withdraw' | 'loaded'> | null
  /** How many versions stay. */
  readonly keep: number
  readonly telemetry: Telemetry
  /** Called at each point that is reached. */
  readonly stage: (stage: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** What a version is made of, and the checkpoint that holds it. */
export type PublishedSnapshot = Pick<LearnerSnapshot, 'adapter' | 'step' | 'delta'> & {
  readonly checkpoint: string | null
}

/** A version that waits for the gate. */
interface Candidate extends Pick<PublishedSnapshot, 'adapter' | 'step' | 'delta'> {
  readonly version: string
  /** How many votes in all have trained into it. */
  readonly votes: number
}

/** How far a version has come that has passed its gate. */
type Outcome = 'published' | 'canary' | 'held' | 'waits'

/** Votes whose age is remembered until they are published; the oldest are forgotten. */
const MAX_UNPUBLISHED = 100_000

/**
 * Adds the adapters of durable checkpoints to the registry, has each judged by the gate, and makes those that pass live,
 * or the canary. The gate works beside the steps: while one candidate is judged, the newest of those that follow waits.
 */
export class AdapterPublisher {
  #step: number | null = null
  #version: string | null = null
  /** When the votes were written that trained since the last version that was published. */
  #unpublished: number[] = []
  /** Votes that have trained in all. */
  #votes = 0
  #waiting: Candidate | null = null
  #judging: Promise<void> | null = null
  /** Of the canary under test, and of the newest version that waits for its end: how many votes have trained into it. */
  #canary: Pick<Candidate, 'version' | 'votes'> | null = null
  #behind: Pick<Candidate, 'version' | 'votes'> | null = null
  readonly #stop = new AbortController()

  constructor(private readonly parts: AdapterPublisherParts) {}

  /** The step of the version that this process added last, whatever became of it. */
  get step(): number | null {
    return this.#step
  }

  /** The version that this process made live last. */
  get version(): string | null {
    return this.#version
  }

  /** These have trained and are in the next version. */
  trained(events: readonly TrainingEvent[]): void {
    this.parts.tally.trained(events)
    this.#votes += events.length
    this.#unpublished = [...this.#unpublished, ...events.map(({ timestamp }) => timestamp)].slice(-MAX_UNPUBLISHED)
  }

  /**
   * Adds the adapter of a step as a candidate, unless it was added already; the initial adapter never is. The gate judges
   * it later (`settled`). A failure is reported, and `live` stays where it was.
   */
  async publish(snapshot: PublishedSnapshot): Promise<void> {
    const { step, adapter, delta } = snapshot
    if (step === 0 || step === this.#step) return
    try {
      const { version } = await this.#add(snapshot)
      this.#step = step
      this.#waiting = { version, step, adapter, delta, votes: this.#votes }
      if (this.#judging === null && !this.#stop.signal.aborted) this.#judging = this.#judgeAll()
    } catch (error) {
      this.#failed(step, error)
    }
    await this.parts.watch.look()
  }

  /**
   * Learning goes on from an older version, under the number of a step. That step is no version: the older one has its
   * weights. What was learnt between the two is in no later version.
   */
  resumed(step: number): void {
    this.#step = step
    this.#waiting = null
    this.#unpublished = []
    this.parts.tally.resumed(step)
  }

  /** Resolves when nothing waits for the gate or is judged by it. */
  async settled(): Promise<void> {
    while (this.#judging) await this.#judging
  }

  /** Stops the gate. What it has not judged is judged by the next process. */
  stop(): void {
    this.#stop.abort(new BcodError('NOT_RUNNING', 'the daemon stops'))
  }

  async #judgeAll(): Promise<void> {
    for (let next = this.#waiting; next !== null && !this.#stop.signal.aborted; next = this.#waiting) {
      this.#waiting = null
      await this.#judge(next)
      await this.parts.watch.look()
    }
    // at once: a candidate that comes now begins anew
    this.#judging = null
  }

  async #judge(candidate: Candidate): Promise<void> {
    const { registry, gate, servers, keep, telemetry, stage } = this.parts
    const { step, version } = candidate
    try {
      const hasPassed = await gate.passes(candidate, this.#stop.signal)
      stage('gated')
      if (hasPassed) this.#published(candidate, await this.#advance(candidate))
      else {
        await registry.refuse(version)
        telemetry.emit(new AdapterPublished(step, 'rejected'))
      }
      await registry.gc(keep, { loaded: servers?.loaded ?? [] })
    } catch (error) {
      if (this.#stop.signal.aborted) return
      this.#failed(step, error)
      // the next checkpoint tries again
      if (this.#step === step) this.#step = null
    }
  }

  /**
   * Makes the canary under test live, for all.
   *
   * @returns whether it is
   * @throws ADAPTER_UNKNOWN
   */
  async promoteCanary(version: string): Promise<boolean> {
    if (!(await this.parts.registry.publish(version))) return false
    const votes = this.#canary?.version === version ? this.#canary.votes : 0
    this.#published({ step: versionStep(version) as number, version, votes }, 'published')
    return true
  }

  /** After the test of a canary: the newest version that has passed meanwhile has its turn. */
  async startWaiting(): Promise<void> {
    const { registry } = this.parts
    const { candidate } = (await registry.current()).aliases
    // what is being judged goes on by itself
    if (candidate === null || this.#judging !== null || this.#stop.signal.aborted) return
    if ((await registry.gateReport(candidate))?.outcome !== 'passed') return
    const step = versionStep(candidate) as number
    try {
      const votes = this.#behind?.version === candidate ? this.#behind.votes : 0
      const waiting = { version: candidate, step, votes }
      this.#published(waiting, await this.#advance(waiting))
    } catch (error) {
      this.#failed(step, error)
      if (this.#step === step) this.#step = null
    }
    await this.parts.watch.look()
  }

  /** A version that has passed goes as far as it may now. If it must wait, no server loads it. */
  async #advance({ version, votes }: Pick<Candidate, 'version' | 'votes'>): Promise<Outcome> {
    const { registry, servers, mode, canaryShare, guarded, stage } = this.parts
    const { live, canary } = (await registry.current()).aliases
    // the first version has nothing to be compared with
    const isTested = canaryShare > 0 && live !== null && live !== version
    if (guarded() || (mode === 'manual' && !isTested) || (await registry.holds(version))) return 'held'
    if (isTested && canary !== null) {
      if (canary === version) return 'canary'
      this.#behind = { version, votes }
      return 'waits'
    }
    // canaries were turned off while it was under test: it has shown nothing
    if (canary === version) return 'held'
    if (servers !== null) {
      await servers.publish(version)
      stage('served')
    }
    let outcome: Outcome = 'held'
    try {
      outcome = isTested ? await this.#tested(version, votes) : (await registry.publish(version)) ? 'published' : 'held'
    } finally {
      // somebody has moved meanwhile, or the registry cannot be written
      if (outcome === 'held') await servers?.withdraw(version)
    }
    return outcome
  }

  async #tested(version: string, votes: number): Promise<Outcome> {
    const { registry, canaryShare } = this.parts
    if (!(await registry.startCanary(version, canaryShare))) return 'held'
    this.#canary = { version, votes }
    return 'canary'
  }

  async #add({ adapter, step, delta, checkpoint }: PublishedSnapshot): Promise<{ readonly version: string }> {
    const { registry, tally, configSha256 } = this.parts
    const added = await registry.add(adapter, {
      ...{ step, delta, checkpoint, config_sha256: configSha256 },
      votesSince: (parent) => tally.since(parent, step),
    })
    tally.mark(step)
    return added
  }

  #published({ step, version, votes }: Pick<Candidate, 'step' | 'version' | 'votes'>, outcome: Outcome): void {
    const { telemetry, stage, now } = this.parts
    if (outcome === 'canary' || outcome === 'waits') {
      if (outcome === 'canary') stage('canary')
      telemetry.emit(new AdapterPublished(step, outcome === 'canary' ? outcome : 'held'))
      return
    }
    if (outcome === 'published') {
      this.#version = version
      stage('published')
    }
    const time = now()
    const newer = this.#votes - votes
    const count = Math.max(0, this.#unpublished.length - newer)
    const ages = this.#unpublished.slice(0, count).map((written) => Math.max(0, time - written) / 1000)
    this.#unpublished = this.#unpublished.slice(count)
    telemetry.emit(new AdapterPublished(step, outcome, ages))
  }

  #failed(step: number, error: unknown): void {
    const { telemetry } = this.parts
    const isRejected = error instanceof BcodError && error.code === 'ADAPTER_NONFINITE'
    telemetry.emit(new AdapterPublished(step, isRejected ? 'rejected' : 'failed'))
    telemetry.emit(new Failed(error, false))
  }
}
