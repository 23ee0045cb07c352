import { VirtualAction, VirtualTimeScheduler } from 'rxjs'

/** A scheduler whose time moves by `advance` alone; what is due until then runs in that call. */
export class ManualScheduler extends VirtualTimeScheduler {
  /** @param start  what time it is at first, milliseconds since the epoch */
  constructor(start: number) {
    super(VirtualAction, start)
    this.frame = start
  }

  advance(milliseconds: number): void {
    const end = this.frame + milliseconds
    this.maxFrames = end
    this.flush()
    this.frame = end
  }
}
