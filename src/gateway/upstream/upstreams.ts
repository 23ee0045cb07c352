import type { Dispatcher } from 'undici'
import { apiBase } from './target.js'

/** One model server. */
export interface Upstream {
  /** Up to and with `/v1`. */
  readonly base: URL
  /** Host and port. */
  readonly name: string
  isHealthy: boolean
  /** Requests that it is answering. */
  inFlight: number
}

export interface UpstreamsOptions {
  readonly urls: readonly string[]
  readonly dispatcher: Dispatcher
  /** Headers of the looks at health. */
  readonly headers: Readonly<Record<string, string>>
  /** Called when a server has become healthy or has ceased to be. */
  readonly onChange?: (upstream: Upstream) => void
}

const LOOK_EVERY_MS = 5000
const LOOK_LIMIT_MS = 4000

/**
 * The model servers and which of them answer. A server is healthy if it answers `GET /v1/models` with anything below 500:
 * the same for every kind of server, and 401 is an answer too. Until the first look all count as healthy.
 */
export class Upstreams {
  readonly all: readonly Upstream[]
  readonly #timer: NodeJS.Timeout

  constructor(private readonly options: UpstreamsOptions) {
    this.all = options.urls.map((url) => {
      const base = apiBase(url)
      return { base, name: base.host, isHealthy: true, inFlight: 0 }
    })
    this.#timer = setInterval(() => void this.look(), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  get areAnyHealthy(): boolean {
    return this.all.some(({ isHealthy }) => isHealthy)
  }

  /**
   * In which order to try them: the healthy one with the fewest requests first. Those that do not look healthy come last,
   * and are tried if nothing else is there.
   */
  order(): readonly Upstream[] {
    return [...this.all].sort((a, b) => Number(b.isHealthy) - Number(a.isHealthy) || a.inFlight - b.inFlight)
  }

  /** Asks all of them. */
  async look(): Promise<void> {
    await Promise.all(this.all.map(async (upstream) => this.report(upstream, await this.#answers(upstream))))
  }

  /** Somebody has seen whether a server answers. */
  report(upstream: Upstream, isHealthy: boolean): void {
    if (upstream.isHealthy === isHealthy) return
    upstream.isHealthy = isHealthy
    this.options.onChange?.(upstream)
  }

  close(): void {
    clearInterval(this.#timer)
  }

  async #answers({ base }: Upstream): Promise<boolean> {
    const { dispatcher, headers } = this.options
    try {
      const { statusCode, body } = await dispatcher.request({
        ...{ origin: base.origin, path: `${base.pathname}/models`, method: 'GET', headers },
        signal: AbortSignal.timeout(LOOK_LIMIT_MS),
      })
      await body.dump()
      return statusCode < 500
    } catch {
      return false
    }
  }
}
