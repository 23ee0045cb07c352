import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../errors.js'

/**
 * A directory of results that is either whole or as it was. Everything is written under `staging`, which `finish` takes
 * apart: what stands in the directory under its own name is complete.
 */
export class OutputDirectory {
  readonly staging: string
  readonly #created: string | undefined

  /** @throws OUTPUT_NOT_EMPTY, OUTPUT_UNWRITABLE */
  constructor(readonly directory: string) {
    this.staging = join(directory, 'incomplete')
    try {
      this.#created = mkdirSync(directory, { recursive: true, mode: 0o700 })
      if (readdirSync(directory).length > 0)
        throw new BcodError('OUTPUT_NOT_EMPTY', 'something is there already', { place: directory })
      mkdirSync(this.staging, { mode: 0o700 })
    } catch (error) {
      if (error instanceof BcodError) throw error
      const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
      throw new BcodError('OUTPUT_UNWRITABLE', `cannot be written (${reason})`, { place: directory, cause: error })
    }
  }

  /** Gives the results their places, in this order. */
  finish(...names: readonly string[]): void {
    for (const name of names) renameSync(join(this.staging, name), join(this.directory, name))
    rmSync(this.staging, { recursive: true })
  }

  /** Removes whatever was written, and the directory where it was made for it. */
  abandon(): void {
    rmSync(this.#created ?? this.staging, { recursive: true, force: true })
  }
}
