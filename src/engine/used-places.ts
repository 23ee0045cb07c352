import { BcodError } from '../errors.js'
import { devicesOf, type Places, workersOf } from './places.js'

/** Told of a place that is left out, and why. */
export type OnDropped = (place: number, reason: BcodError) => void

/** The places of an open session that are in use: all that it was opened with, until one is dropped. */
export class UsedPlaces {
  /** By place: the workers that it needs beside those of the first; null for none. */
  readonly #workers: readonly (string | null)[]
  #numbers: readonly number[]

  constructor(
    places: Places,
    private readonly onDropped: OnDropped | undefined,
  ) {
    this.#workers = workersOf(places).workers
    this.#numbers = devicesOf(places).flatMap((devices, place) => (devices === null ? [] : [place]))
  }

  /** By number; the first is 0. */
  get numbers(): readonly number[] {
    return this.#numbers
  }

  workerOf(place: number): string | null {
    return this.#workers[place] ?? null
  }

  /** Whether a place needs a worker that the first does not need: what fails there may succeed at the first. */
  isRemote(place: number): boolean {
    return this.workerOf(place) !== null
  }

  /** Leaves out a place other than the first, and all places of its worker. Nothing happens if it is not in use. */
  drop(place: number, reason: BcodError): void {
    const worker = this.workerOf(place)
    const goes = (each: number) => each > 0 && (each === place || (worker !== null && this.workerOf(each) === worker))
    const dropped = this.#numbers.filter(goes)
    this.#numbers = this.#numbers.filter((each) => !goes(each))
    for (const each of dropped) this.onDropped?.(each, reason)
  }

  /** Leaves out all places of a worker. @param worker  `host:port` */
  dropWorker(worker: string, reason: BcodError): void {
    const place = this.#numbers.find((each) => this.workerOf(each) === worker)
    if (place !== undefined) this.drop(place, reason)
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
