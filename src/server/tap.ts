import type { IncomingMessage, ServerResponse } from 'node:http'
import { finalize, type Observable, Subject, takeUntil } from 'rxjs'
import { addressGroup, displaced, type Place } from './crowd.js'

/** Streams a line of JSON for each event until the client disconnects. */
export const TAP_PATH = '/v1/tap'

const MAX_WATCHERS = 8
/** Buffer of a slow watcher; lines beyond it are skipped and counted. */
const MAX_WAITING_BYTES = 1 << 20
/** A line that shows watchers and proxies that the stream is alive. */
const ALIVE_EVERY_MS = 15_000
/** A watcher that has read nothing of its buffer for this long is disconnected. */
const STALLED_MS = 30_000
/** Time for a displaced watcher to read the reason. */
const FAREWELL_MS = 1_000

interface Watcher extends Place {
  end(reason: 'displaced'): void
}

/**
 * The open requests for `/v1/tap`. A watcher that does not read costs a bounded buffer, never blocks the daemon, and is
 * disconnected. When all places are taken, a new watcher displaces another, so silent ones cannot shut others out.
 */
export class TapStreams {
  readonly #closing$ = new Subject<void>()
  readonly #watchers = new Set<Watcher>()

  /** @param onDisplaced  called for each displaced watcher */
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
