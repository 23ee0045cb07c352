import { BcodError } from '../errors.js'
import { devicesOf, type Places, workersOf } from './places.js'

/** Told of a place that is left out, and why. */
export type OnDropped = (place: number, reason: BcodError) => void

/** The places of an open session that are in use: all that it was opened with, until one is dropped. */
export class UsedPlaces {
  /** By place: the workers that it needs beside those of the first. */
  readonly #workers: readonly (readonly string[])[]
  /** Those that the first place needs. */
  readonly #needed: readonly string[]
  #numbers: readonly number[]

  constructor(
    places: Places,
    private readonly onDropped: OnDropped | undefined,
  ) {
    const { workers, needed } = workersOf(places)
    this.#workers = workers
    this.#needed = needed[0] ?? []
    this.#numbers = devicesOf(places).flatMap((devices, place) => (devices === null ? [] : [place]))
  }

  /** By number; the first is 0. */
  get numbers(): readonly number[] {
    return this.#numbers
  }

  /** The workers of all places in use, each once. */
  get workers(): readonly string[] {
    return [...new Set([...this.#needed, ...this.#numbers.flatMap((place) => this.workersOf(place))])]
  }

  /** Those that a place needs beside the first's. */
  workersOf(place: number): readonly string[] {
    return this.#workers[place] ?? []
  }

  /** Whether a place needs a worker that the first does not need: what fails there may succeed at the first. */
  isRemote(place: number): boolean {
    return this.workersOf(place).length > 0
  }

  /**
   * Leaves out a place other than the first, and all that have one of its workers: which of them failed is not known.
   * Nothing happens if it is not in use.
   */
  drop(place: number, reason: BcodError): void {
    const lost = this.workersOf(place)
    this.#leave((each) => each === place || this.workersOf(each).some((worker) => lost.includes(worker)), reason)
  }

  /** Leaves out all places of a worker, `host:port`. @throws the reason if the first place needs it */
  dropWorker(worker: string, reason: BcodError): void {
    if (this.#needed.includes(worker)) throw reason
    this.#leave((each) => this.workersOf(each).includes(worker), reason)
  }

  #leave(isLost: (place: number) => boolean, reason: BcodError): void {
    const goes = (each: number) => each > 0 && isLost(each)
    const dropped = this.#numbers.filter(goes)
    this.#numbers = this.#numbers.filter((each) => !goes(each))
    for (const each of dropped) this.onDropped?.(each, reason)
  }

  /** Runs what only a place needs, and drops the place if it is another machine's and the run fails. */
  orDrop(place: number, run: () => unknown): void {
    try {
      run()
    } catch (error) {
      if (!(error instanceof BcodError) || !this.isRemote(place)) throw error
      this.drop(place, error)
    }
  }
}
