import type { IncomingMessage, ServerResponse } from 'node:http'
import { finalize, type Observable, Subject, takeUntil } from 'rxjs'
import { failure, send } from './answer.js'

/** Live lines of JSON, one for each thing that happens, until the client goes. */
export const TAP_PATH = '/v1/tap'

const MOST_WATCHERS = 8
/** What waits for a slow watcher; what comes beyond it is skipped and counted. */
const MOST_WAITING_BYTES = 1 << 20

/** The open requests for `/v1/tap`. A watcher that does not read costs a bounded buffer and never holds the daemon up. */
export class TapStreams {
  readonly #closing$ = new Subject<void>()
  #watchers = 0

  constructor(private readonly line$: Observable<object>) {}

  open(request: IncomingMessage, response: ServerResponse): void {
    if (this.#watchers >= MOST_WATCHERS) {
      const message = `There are ${MOST_WATCHERS} watchers already.`
      send(request, response, failure(503, 'TOO_MANY_WATCHERS', message, { 'retry-after': '10' }))
      return
    }
    this.#watchers += 1
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
    response.flushHeaders()
    let skipped = 0
    const write = (line: object) => response.write(`${JSON.stringify(line)}\n`)
    const subscription = this.line$
      .pipe(
        takeUntil(this.#closing$),
        finalize(() => {
          this.#watchers -= 1
          response.end()
        }),
      )
      .subscribe((line) => {
        if (response.writableLength > MOST_WAITING_BYTES) {
          skipped += 1
          return
        }
        if (skipped > 0) write({ kind: 'skipped', lines: skipped })
        skipped = 0
        write(line)
      })
    response.once('close', () => subscription.unsubscribe())
  }

  close(): void {
    this.#closing$.next()
  }
}
