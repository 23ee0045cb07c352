import { resolve } from 'node:path'
import type { RegistryFiles } from '../../adapters/storage/registry-files.js'
import { versionStep } from '../../adapters/versions/version.js'
import type { VersionState } from '../../adapters/versions/version-record.js'
import { readAdapter } from '../../adapters/weights/peft.js'
import type { ConfigFor } from '../../config/requirements.js'
import { BcodError } from '../../errors.js'
import { allScored } from '../../learner/all-scored.js'
import { Attester } from '../../serving/attester.js'
import type { TokenPair } from '../../serving/secret-prompts.js'
import { type Look, Serving } from '../../serving/serving.js'
import { Failed } from '../../telemetry/events/daemon.js'
import { ServerGone, ServerLookedAt } from '../../telemetry/events/serving.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { DaemonLearner } from '../options.js'
import type { RegistryWatch } from './registry-watch.js'
import { answeringVersions, wantedVersions } from './wanted-versions.js'

export interface ServingWatchParts {
  readonly config: Pick<ConfigFor<'run'>, 'publish' | 'adapters'>
  /** Where the registry is. */
  readonly files: Pick<RegistryFiles, 'local'>
  readonly learner: Pick<DaemonLearner, 'call' | 'info'>
  readonly watch: Pick<RegistryWatch, 'state' | 'look'>
  readonly telemetry: Telemetry
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Called at each point of publishing that a server reaches. @default nobody is told */
  readonly stage?: (stage: string) => void
}

/** What one server serves, as `/status` shows it. */
export interface ServerStatus {
  /** The newest version that it has loaded of those it should; null if none, or if it does not answer. */
  readonly version: string | null
  /** The code of what is wrong; null if nothing is. */
  readonly problem: string | null
}

/** Keeps the servers of `publish.targets` at the registry's live version. */
export class ServingWatch {
  readonly #serving: Serving
  readonly #servers = new Map<string, ServerStatus>()
  /** The move after which the servers were looked at last. */
  #generation: number | null = null
  #isOpen = true

  constructor(private readonly parts: ServingWatchParts) {
    const { config, files, learner, watch } = parts
    const { targets, apiKey, timeout, attest, keepLoaded } = config.publish
    this.#serving = new Serving({
      ...{ targets, options: { apiKey, timeout }, directory: resolve(config.adapters.dir) },
      prepare: (version) => files.local(version),
      attester: new Attester({
        ...{ tolerance: attest, vocabSize: learner.info.vocabSize },
        scores: (version, pairs) => this.#scores(version, pairs),
      }),
      wanted: () => (watch.state === null ? [] : wantedVersions(watch.state, keepLoaded)),
      answering: () => (watch.state === null ? [] : answeringVersions(watch.state)),
      pending: (version) => this.#pending(version),
      looked: (look) => this.#looked(look),
      gone: (replica) => {
        this.#servers.delete(replica)
        parts.telemetry.emit(new ServerGone(replica))
      },
      failed: (error) => parts.telemetry.emit(new Failed(error, false)),
      now: parts.now,
      onStage: (stage) => parts.stage?.(stage),
    })
  }

  /** What each server serves, by host and port. */
  get servers(): Readonly<Record<string, ServerStatus>> {
    return Object.fromEntries(this.#servers)
  }

  /** Versions that a server may still read. */
  get loaded(): readonly string[] {
    return [...this.#serving.loaded]
  }

  /** Makes every server answer a version under its own name. @throws what `Serving.publish` throws */
  publish(version: string): Promise<void> {
    return this.#serving.publish(version)
  }

  /** Loads a version on the servers that answer. @throws what `Serving.publish` throws */
  publishWherePossible(version: string): Promise<void> {
    return this.#serving.publishWherePossible(version)
  }

  /** Unloads a version that does not go live after all, as the registry says now. */
  async withdraw(version: string): Promise<void> {
    await this.parts.watch.look()
    await this.#serving.withdraw(version)
  }

  /** The name under which servers know the base model; null if none answers. */
  base(): Promise<string | null> {
    return this.#serving.base()
  }

  /** Looks at every server, and mends what can be mended. */
  async look(): Promise<void> {
    const { watch } = this.parts
    if (!this.#isOpen || watch.state === null) return
    this.#generation = watch.state.generation
    await this.#serving.probe()
  }

  /** Looks at every server if an alias has moved since the last look. */
  async lookIfMoved(): Promise<void> {
    if (this.parts.watch.state?.generation !== this.#generation) await this.look()
  }

  /** Nothing is looked at or told any more. */
  close(): void {
    this.#isOpen = false
  }

  #stateOf(version: string): VersionState {
    return this.parts.watch.state?.states[version] ?? 'candidate'
  }

  /** A candidate, or an older version that somebody is about to promote: until the move, it is still what it was. */
  #pending(version: string): () => boolean {
    const then = this.#stateOf(version)
    return () => {
      const state = this.#stateOf(version)
      return state === 'candidate' || (state === then && state !== 'live')
    }
  }

  async #scores(version: string | null, pairs: readonly TokenPair[]): Promise<readonly number[]> {
    const { learner, files } = this.parts
    const adapter = version === null ? null : readAdapter(await files.local(version))
    return allScored(await learner.call('logpsUnder', adapter, pairs))
  }

  #looked({ replica, version, problem, mended, isNews }: Look): void {
    if (!this.#isOpen) return
    const code = problem === null ? null : problem instanceof BcodError ? problem.code : 'INTERNAL'
    this.#servers.set(replica, { version, problem: code })
    const step = version === null ? null : versionStep(version)
    this.parts.telemetry.emit(new ServerLookedAt(replica, step, problem, mended, isNews))
  }
}
