import { createParser, type EventSourceParser } from 'eventsource-parser'
import { jsonOrNull } from '../../events/json.js'
import { Answer } from './answer.js'

/** A body that is read as a whole may be this many times longer than what is kept of it: log-probabilities are not. */
const BODY_FACTOR = 4

/** Reads the bytes of an answer as they pass, within a memory limit. It never throws. */
export class Capture {
  readonly #answer = new Answer()
  readonly #parser: EventSourceParser | null
  readonly #decoder = new TextDecoder()
  #body: Buffer[] = []
  /** Bytes since the last event, or of the body. */
  #unread = 0
  #isTooLong = false

  /**
   * @param isStream  server-sent events, not one JSON document
   * @param limit     of what is kept, in bytes
   */
  constructor(
    isStream: boolean,
    private readonly limit: number,
  ) {
    this.#parser = isStream ? createParser({ onEvent: ({ data }) => this.#onEvent(data) }) : null
  }

  push(bytes: Buffer): void {
    if (this.#isTooLong) return
    this.#unread += bytes.length
    if (this.#parser === null) this.#body.push(bytes)
    else this.#parser.feed(this.#decoder.decode(bytes, { stream: true }))
    if (this.#unread > BODY_FACTOR * this.limit || this.#answer.size > this.limit) this.#giveUp()
  }

  /** What has come; null if it was too long. */
  end(): Answer | null {
    if (this.#parser === null && !this.#isTooLong) {
      this.#answer.add(jsonOrNull(Buffer.concat(this.#body).toString('utf8')))
      this.#body = []
    }
    return this.#isTooLong || this.#answer.size > this.limit ? null : this.#answer
  }

  #onEvent(data: string): void {
    this.#unread = 0
    if (data !== '[DONE]') this.#answer.add(jsonOrNull(data))
  }

  #giveUp(): void {
    this.#isTooLong = true
    this.#body = []
    this.#answer.choices.clear()
  }
}
