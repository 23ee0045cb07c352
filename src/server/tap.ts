import type { IncomingMessage, ServerResponse } from 'node:http'
import { finalize, type Observable, Subject, takeUntil } from 'rxjs'
import { addressGroup, displaced, type Place } from './crowd.js'

/** Live lines of JSON, one for each thing that happens, until the client goes. */
export const TAP_PATH = '/v1/tap'

const MAX_WATCHERS = 8
/** What waits for a slow watcher; what comes beyond it is skipped and counted. */
const MAX_WAITING_BYTES = 1 << 20
/** A line that tells a watcher, and whatever lies between, that the stream lives. */
const ALIVE_EVERY_MS = 15_000
/** A watcher that has taken nothing of what waits for it for this long is gone. */
const STALLED_MS = 30_000
/** One that has to go may read the reason for this long. */
const FAREWELL_MS = 1_000

interface Watcher extends Place {
  end(reason: 'displaced'): void
}

/**
 * The open requests for `/v1/tap`. A watcher that does not read costs a bounded buffer, never holds the daemon up, and
 * is ended. When all places are taken a new watcher displaces another, so that silent ones shut nobody out.
 */
export class TapStreams {
  readonly #closing$ = new Subject<void>()
  readonly #watchers = new Set<Watcher>()

  /** @param onDisplaced  told of each watcher that had to go */
  constructor(
    private readonly line$: Observable<object>,
    private readonly onDisplaced: (address: string) => void = () => {},
  ) {}

  open(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.flushHeaders()
    let skipped = 0
    let taken = performance.now()
    const write = (line: object) => {
      if (response.writableLength === 0) taken = performance.now()
      response.write(`${JSON.stringify(line)}\n`, () => {
        taken = performance.now()
      })
    }
    const alive = setInterval(() => {
      if (response.writableLength > 0 && performance.now() - taken > STALLED_MS) response.destroy()
      else if (response.writableLength === 0) write({ kind: 'alive' })
    }, ALIVE_EVERY_MS).unref()
    const subscription = this.line$
      .pipe(
        takeUntil(this.#closing$),
        finalize(() => {
          clearInterval(alive)
          this.#watchers.delete(watcher)
          response.end()
        }),
      )
      .subscribe((line) => {
        if (response.writableLength > MAX_WAITING_BYTES) {
          skipped += 1
          return
        }
        if (skipped > 0) write({ kind: 'skipped', lines: skipped })
        skipped = 0
        write(line)
      })
    const watcher: Watcher = {
      group: addressGroup(request.socket.remoteAddress),
      end(reason) {
        write({ kind: 'ended', reason })
        subscription.unsubscribe()
        setTimeout(() => response.destroy(), FAREWELL_MS).unref()
      },
    }
    this.#watchers.add(watcher)
    response.once('close', () => subscription.unsubscribe())
    if (this.#watchers.size > MAX_WATCHERS) this.#makeRoom()
  }

  close(): void {
    this.#closing$.next()
  }

  #makeRoom(): void {
    const victim = displaced([...this.#watchers], () => false)
    if (victim === undefined) return
    this.onDisplaced(victim.group)
    victim.end('displaced')
  }
}
