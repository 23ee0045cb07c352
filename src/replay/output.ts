import { mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { BcodError } from '../errors.js'
import { isEmptyDirectory } from '../files/own-directory.js'

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
      if (!isEmptyDirectory(directory))
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

  /** Removes whatever was written, and the directories that were made for it, unless somebody else uses them by now. */
  abandon(): void {
    rmSync(this.staging, { recursive: true, force: true })
    if (this.#created === undefined) return
    try {
      const first = resolve(this.#created)
      for (let made = resolve(this.directory); made.startsWith(first); made = dirname(made)) rmdirSync(made)
    } catch {
      // not empty
    }
  }
}
