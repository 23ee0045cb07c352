import type { Config } from '../config/config.js'
import { placesAt, placesOf, workersOf } from '../config/devices.js'
import { BcodError, type ErrorCode } from '../errors.js'
import { type AskedWorkers, askWorkers, leaderIdentity } from '../learner/ask-workers.js'
import type { RemoteLearner } from '../learner/remote-learner.js'
import { Failed } from '../telemetry/events/daemon.js'
import { PlaceDropped, PlacesChosen, WorkerNotTakenBack, WorkersTakenBack } from '../telemetry/events/training.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { VERSION } from '../telemetry/version.js'

export interface LostWorkersParts {
  readonly config: Pick<Config, 'devices' | 'leader' | 'model'>
  readonly telemetry: Telemetry
  /** @default as `askWorkers` with what this daemon is */
  readonly ask?: (workers: readonly string[]) => Promise<AskedWorkers>
}

/** What would be so again: such a worker stays out until the daemon is started again. */
const STAYS: readonly ErrorCode[] = ['PLACE_DIFFERS', 'DEVICE_OUT_OF_MEMORY']
/** A worker that is lost over and over is asked after every so many checkpoints at most. */
const LONGEST_WAIT = 64

interface Lost {
  /** Whether it is out now. */
  readonly isOut: boolean
  readonly stays: boolean
  readonly times: number
  /** Checkpoints until it is asked again. */
  wait: number
  /** Why the one that answers there cannot be used; null: not known of any. */
  readonly difference: string | null
}

/** Which places of workers are left out, and takes them back once they answer again. */
export class LostWorkers {
  readonly #lost = new Map<string, Lost>()
  readonly #ask: NonNullable<LostWorkersParts['ask']>

  constructor(private readonly parts: LostWorkersParts) {
    const { config, ask } = parts
    this.#ask =
      ask ?? (async (workers) => askWorkers(workers, await leaderIdentity(VERSION, config.model.path), config))
  }

  /** The workers that answer at the start; says why the others are left out. */
  async answering(): Promise<readonly string[]> {
    const { devices } = this.parts.config
    const workers = workersOf(devices)
    if (workers.length === 0) return []
    const { answering, left } = await this.#ask(workers)
    this.#leave(left)
    return answering
  }

  /** A place is left out from here on. */
  dropped(place: number, reason: BcodError): void {
    const name = this.#nameOf(place)
    this.parts.telemetry.emit(new PlaceDropped(place, name, reason))
    for (const worker of this.#workersOf(place, reason)) this.#lose(worker, reason)
  }

  /**
   * Asks those that are out, after a checkpoint, and opens the learner's session again over all that answer. To be
   * called when nothing is computed.
   *
   * @throws what the learner throws if it cannot go on
   */
  async takeBack(learner: Pick<RemoteLearner, 'call'>): Promise<void> {
    const { config, telemetry } = this.parts
    const { devices } = config
    const due = [...this.#lost].filter(([, lost]) => lost.isOut && !lost.stays && --lost.wait <= 0)
    if (due.length === 0) return
    const asked = await this.#ask(due.map(([worker]) => worker))
    const back = asked.answering
    for (const reason of asked.left) if (reason.code === 'WORKER_DIFFERS') this.#tellOnce(reason)
    if (back.length === 0) return
    // with one that is away no session opens
    const wanted = workersOf(devices).filter((worker) => back.includes(worker) || !this.#lost.get(worker)?.isOut)
    const { answering, left } = await this.#ask(wanted)
    this.#leave(left)
    const taken = answering.filter((worker) => this.#lost.get(worker)?.isOut)
    this.#setOut(taken, false)
    try {
      telemetry.emit(new PlacesChosen(await learner.call('reopen', answering)))
    } catch (error) {
      if (!(error instanceof BcodError) || !error.code.startsWith('WORKER_')) throw error
      // it did not open: the session of before goes on
      this.#setOut(taken, true)
      telemetry.emit(new Failed(error, false))
      return
    }
    telemetry.emit(new WorkersTakenBack(taken))
  }

  #leave(reasons: readonly BcodError[]): void {
    const { config } = this.parts
    for (const reason of reasons) for (const place of placesAt(reason.place ?? '', config)) this.dropped(place, reason)
  }

  /** Says that another one serves where a worker was lost: it is not taken back. */
  #tellOnce(reason: BcodError): void {
    const worker = reason.place ?? ''
    const lost = this.#lost.get(worker)
    if (lost === undefined || lost.difference === reason.message) return
    this.#lost.set(worker, { ...lost, difference: reason.message })
    this.parts.telemetry.emit(new WorkerNotTakenBack(worker, reason))
  }

  #nameOf(place: number): string {
    const { config } = this.parts
    return config.devices === 'auto' ? `GPU:${place}` : (placesOf(config)[place]?.join('+') ?? '')
  }

  /** Those that a place has lost: the one that the reason names, or all that the first place does not need. */
  #workersOf(place: number, reason: BcodError): readonly string[] {
    const [first = [], ...others] = placesOf(this.parts.config)
    const needed = workersOf(first)
    const own = workersOf(others[place - 1] ?? []).filter((worker) => !needed.includes(worker))
    return own.includes(reason.place ?? '') ? [reason.place as string] : own
  }

  #lose(worker: string, reason: BcodError): void {
    const before = this.#lost.get(worker)
    // another place of one that is known to be lost
    if (before?.isOut) return
    const times = (before?.times ?? 0) + 1
    const difference = reason.code === 'WORKER_DIFFERS' ? reason.message : null
    this.#lost.set(worker, {
      ...{ isOut: true, stays: STAYS.includes(reason.code), difference },
      ...{ times, wait: waitAfter(times) },
    })
  }

  #setOut(workers: readonly string[], isOut: boolean): void {
    for (const worker of workers) {
      const lost = this.#lost.get(worker)
      if (lost !== undefined) this.#lost.set(worker, { ...lost, isOut, wait: waitAfter(lost.times) })
    }
  }
}

/** Checkpoints until a worker that was lost so many times is asked again. */
const waitAfter = (times: number): number => Math.min(2 ** (times - 1), LONGEST_WAIT)
