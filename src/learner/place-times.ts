import type { Session } from '../engine/index.js'

/** What a place has done since its session was opened. */
export interface PlaceUse {
  /** As `devices` names it, or `GPU:0+GPU:1` if it has two stages; empty if TensorFlow chose it. */
  readonly device: string
  /** False for a worker that is away, and for what was dropped. */
  readonly used: boolean
  readonly busySeconds: number
  /** While packed batches were computed, or answers sampled, and it had none. */
  readonly waitSeconds: number
  /** `Session.linkBytes` */
  readonly linkBytes: number
}

/** How many of them are in use. */
export const usedPlaces = (places: readonly Pick<PlaceUse, 'used'>[]): number =>
  Math.max(1, places.filter(({ used }) => used).length)

/** How busy the places of a session are. */
export class PlaceTimes {
  readonly #waitSeconds: number[]

  /** @param devices  names of the session's places */
  constructor(
    private readonly session: Session,
    private readonly devices: readonly string[],
  ) {
    this.#waitSeconds = devices.map(() => 0)
  }

  get use(): readonly PlaceUse[] {
    const { busySeconds, linkBytes, places } = this.session
    return this.devices.map((device, place) => ({
      device,
      used: places.includes(place),
      busySeconds: busySeconds[place] as number,
      waitSeconds: this.#waitSeconds[place] as number,
      linkBytes: linkBytes[place] as number,
    }))
  }

  /** Runs packed batches, or samples; where a place has nothing to do meanwhile, it waits for others or for the host. */
  count(run: () => void): void {
    const before = this.session.busySeconds
    const started = performance.now()
    run()
    const seconds = (performance.now() - started) / 1000
    const after = this.session.busySeconds
    for (const place of this.session.places) {
      const busy = (after[place] as number) - (before[place] as number)
      ;(this.#waitSeconds[place] as number) += Math.max(0, seconds - busy)
    }
  }
}
