/** What is remembered of a server between two looks. */
export class ReplicaMemory {
  /** Why it cannot load a version; forgotten once it has been away. */
  readonly refused = new Map<string, unknown>()
  /** Looks until the next attempt to mend a wrong answer; the wait doubles with each that fails. */
  wait = 0
  nextWait = 1
  /** What the last look found, in short. */
  found = ''
  #loaded: ReadonlySet<string> = new Set()
  /** Those of the loaded versions that this process has loaded there, or wanted. */
  #own: ReadonlySet<string> = new Set()
  /** Since when each of the others has been there. */
  #since: ReadonlyMap<string, number> = new Map()

  /** Its loaded versions. */
  get loaded(): ReadonlySet<string> {
    return this.#loaded
  }

  /** This process has loaded a version. */
  add(version: string): void {
    this.#loaded = new Set([...this.#loaded, version])
    this.#own = new Set([...this.#own, version])
  }

  /** This process has unloaded a version: whoever loads it next is somebody else. */
  remove(version: string): void {
    this.#loaded = new Set([...this.#loaded].filter((each) => each !== version))
    this.#own = new Set([...this.#own].filter((each) => each !== version))
  }

  /**
   * Takes down what the server lists.
   *
   * @param isWanted  whether this process has a use for a version
   * @param now       milliseconds since any moment
   */
  listed(versions: readonly string[], isWanted: (version: string) => boolean, now: number): void {
    this.#loaded = new Set(versions)
    this.#own = new Set(versions.filter((version) => this.#own.has(version) || isWanted(version)))
    const others = versions.filter((version) => !this.#own.has(version))
    this.#since = new Map(others.map((version) => [version, this.#since.get(version) ?? now]))
  }

  /** Since when it has had a version that somebody else has loaded there; null for one of this process. */
  foreignSince(version: string): number | null {
    return this.#since.get(version) ?? null
  }
}
