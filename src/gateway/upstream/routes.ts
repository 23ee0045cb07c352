import { type Arm, armOf, parseRouting, type Routing } from '../../adapters/registry/routing.js'
import { BcodError } from '../../errors.js'

/** Reads `routing.json`. Null: nothing is published yet, or nobody knows at the moment. */
export type ReadRouting = () => Promise<string | null>

export interface RoutesOptions {
  /** Null: there is no registry, and every request goes on as it is. */
  readonly read: ReadRouting | null
  /** The model name that the arms answer. Null: every name. */
  readonly model: string | null
  /** @default 30,000 milliseconds */
  readonly patience?: number
  /** Called when reading begins to fail (its error), and when it works again (null). */
  readonly onChange?: (problem: unknown) => void
}

/** What a new version may be late: as long as the daemon itself takes to notice a move. */
const READ_EVERY_MS = 2000
/** How long a gateway that begins waits for it: answers of the base are better than none. */
const PATIENCE_MS = 30_000

/** Which version answers whom, as the registry last said. While it cannot be read, that stays as it was. */
export class Routes {
  #routing: Routing | null = null
  readonly #begun = performance.now()
  #isKnown: boolean
  #hasFailed = false
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(private readonly options: RoutesOptions) {
    this.#isKnown = options.read === null
  }

  /** Whether the registry has been read at least once, or could not be for so long that it is no longer waited for. */
  get isKnown(): boolean {
    const { patience = PATIENCE_MS } = this.options
    return this.#isKnown || performance.now() - this.#begun > patience
  }

  /** Whether there is a registry. */
  get isFollowed(): boolean {
    return this.options.read !== null
  }

  /** As it was last read; null if nothing was published by then. */
  get routing(): Routing | null {
    return this.#routing
  }

  /** Whether the last look could read it. */
  get isReadable(): boolean {
    return !this.#hasFailed
  }

  /** Reads now and from now on. */
  async start(): Promise<void> {
    if (this.options.read === null) return
    await this.read()
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.start(), READ_EVERY_MS).unref()
  }

  close(): void {
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
  }

  async read(): Promise<void> {
    try {
      const text = (await this.options.read?.()) ?? null
      if (text !== null) this.#routing = checked(parseRouting(text))
      this.#isKnown = true
      if (this.#hasFailed) this.options.onChange?.(null)
      this.#hasFailed = false
    } catch (error) {
      if (!this.#hasFailed) this.options.onChange?.(error)
      this.#hasFailed = true
    }
  }

  /**
   * @param key    of the user, or of the conversation: the same one always gets the same arm
   * @param asked  the model name in the request
   * @returns null: the request goes on as it is
   */
  arm(key: string, asked: string | null): Arm | null {
    const { model } = this.options
    if (this.#routing === null || (model !== null && asked !== model)) return null
    return armOf(this.#routing, key)
  }

  /** Whether a name is that of a version, which nobody needs to choose by itself. */
  isVersion(name: string): boolean {
    const prefix = this.#routing === null ? null : `${this.#routing.name}-v`
    return prefix !== null && name.startsWith(prefix) && /^\d{8}$/.test(name.slice(prefix.length))
  }
}

function checked(routing: Partial<Routing> | null): Routing {
  const { arms, salt, name } = routing ?? {}
  const areArms = Array.isArray(arms) && arms.every(({ model, share }) => typeof model === 'string' && share >= 0)
  if (!areArms || typeof salt !== 'string' || typeof name !== 'string')
    throw new BcodError('ROUTING_UNREADABLE', 'it is no routing.json')
  return routing as Routing
}
