import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'

/** The beginning of an answer, and its body, which must be read or destroyed. */
export interface Begun {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: AnswerBody
}

/** Sends a request and resolves when its answer begins. Rejects with the error of the connection, or the signal's reason. */
export function askServer(
  dispatcher: Dispatcher,
  options: Dispatcher.DispatchOptions,
  signal: AbortSignal,
): Promise<Begun> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    let body: AnswerBody | null = null
    let stop = (): void => undefined
    dispatcher.dispatch(options, {
      onRequestStart(controller) {
        stop = () => controller.abort(signal.reason as Error)
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
      },
      onResponseStart(controller, status, headers) {
        // 103, say: the answer itself is still to come
        if (status < 200) return
        body = new AnswerBody(controller)
        resolve({ status, headers, body })
      },
      onResponseData: (_, piece) => body?.bring(piece),
      onResponseEnd() {
        signal.removeEventListener('abort', stop)
        body?.finish()
      },
      onResponseError(_, error) {
        signal.removeEventListener('abort', stop)
        if (body === null) reject(error)
        else body.break(error)
      },
    })
  })
}

/**
 * The body of an answer, as it comes. What one read of the socket brings goes on as one piece: a server that writes token by
 * token, faster than they are read, costs no call for each of them. Nothing waits for that: the piece goes on before the
 * event loop turns.
 */
export class AnswerBody extends Readable {
  #pieces: Buffer[] = []
  #through: (piece: Buffer) => Buffer = (piece) => piece
  /** Whoever reads has room. */
  #isWanted = false
  #isScheduled = false
  #isOver = false

  constructor(private readonly controller: Dispatcher.DispatchController) {
    super()
  }

  /** What is read is what `change` makes of the pieces. To be called before anybody reads. */
  through(change: (piece: Buffer) => Buffer): this {
    this.#through = change
    return this
  }

  bring(piece: Buffer): void {
    this.#pieces.push(piece)
    if (this.#isWanted) this.#schedule()
    else this.controller.pause()
  }

  finish(): void {
    this.#isOver = true
    this.#schedule()
  }

  /** The connection has failed. What it has brought goes on first. */
  break(error: Error): void {
    this.#pass()
    this.#isOver = true
    this.destroy(error)
  }

  override _read(): void {
    this.#isWanted = true
    this.#schedule()
    if (this.controller.paused) this.controller.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#isOver) this.controller.abort(error ?? new Error('nobody reads the answer any more'))
    done(error)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      if (this.#isWanted) this.#pass()
    })
  }

  #pass(): void {
    if (this.destroyed) return
    const pieces = this.#pieces
    this.#pieces = []
    if (pieces.length > 0) {
      const whole = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
      this.#isWanted = this.push(this.#through(whole))
    }
    if (this.#isOver) this.push(null)
  }
}
