import { randomBytes } from 'node:crypto'
import { lstatSync } from 'node:fs'
import { chmod, link, mkdir, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BcodError } from '../../errors.js'
import { isDiskFull, syncDirectory, systemCode, writeFileDurably } from '../../files/durable-files.js'
import { clearWork, WORK } from '../../files/own-directory.js'
import type { RegistryFiles } from './registry-files.js'
import { takeRegistry } from './take-registry.js'

/** A registry in a directory, which servers under other users may read. */
export class DirectoryFiles implements RegistryFiles {
  /** @param onStage  called after each stage has taken effect; a fault test kills the process there */
  constructor(
    readonly directory: string,
    private readonly onStage: (stage: string) => void = () => {},
  ) {}

  get place(): string {
    return this.directory
  }

  async take(): Promise<void> {
    await this.#coded('cannot be taken', () => takeRegistry(this.directory))
  }

  async names(folder: string): Promise<readonly string[]> {
    return this.#coded('cannot be read', () => absentAs(readdir(this.#at(folder)), []))
  }

  async read(path: string): Promise<string | null> {
    return this.#coded(`${path} cannot be read`, () => absentAs(readFile(this.#at(path), 'utf8'), null))
  }

  async create(path: string, text: string, written?: () => void): Promise<boolean> {
    return this.#coded(`${path} was not written`, async () => {
      const temporary = await this.#temporary()
      try {
        await writeFileDurably(temporary, [new TextEncoder().encode(text)], FILE_MODE)
        written?.()
        const folder = dirname(this.#at(path))
        if (await mkdir(folder, { recursive: true })) await chmod(folder, DIRECTORY_MODE)
        try {
          await link(temporary, this.#at(path))
        } catch (error) {
          if (systemCode(error) === 'EEXIST') return false
          throw error
        }
        await syncDirectory(folder)
        return true
      } finally {
        await rm(temporary, { force: true })
      }
    })
  }

  async replace(path: string, text: string): Promise<void> {
    await this.#coded(`${path} was not written`, async () => {
      const temporary = await this.#temporary()
      try {
        await writeFileDurably(temporary, [new TextEncoder().encode(text)], FILE_MODE)
        await rename(temporary, this.#at(path))
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
    })
  }

  async remove(path: string): Promise<void> {
    await this.#coded(`${path} was not removed`, () => rm(this.#at(path), { force: true }))
  }

  async createVersion(
    version: string,
    files: Iterable<readonly [name: string, chunks: Iterable<Uint8Array>]>,
  ): Promise<void> {
    await this.#coded(`${version} was not written`, async () => {
      const temporary = await this.#temporary(version)
      try {
        await mkdir(temporary)
        await chmod(temporary, DIRECTORY_MODE)
        for (const [name, chunks] of files) await writeFileDurably(join(temporary, name), chunks, FILE_MODE)
        await syncDirectory(temporary)
        await rename(temporary, this.#at(version))
      } catch (error) {
        await rm(temporary, { recursive: true, force: true }).catch(() => {})
        throw error
      }
      await syncDirectory(this.directory)
    })
    this.onStage('version written')
  }

  async removeVersion(version: string): Promise<void> {
    await this.#coded(`${version} was not removed`, async () => {
      const temporary = await this.#temporary(`removed-${version}`)
      await absentAs(rename(this.#at(version), temporary), undefined)
      await rm(temporary, { recursive: true, force: true })
    })
  }

  async local(version: string): Promise<string> {
    return join(this.directory, version)
  }

  async link(name: string): Promise<string | null> {
    return this.#coded(`${name} cannot be read`, () => absentAs(readlink(this.#at(name)), null))
  }

  async setLink(name: string, version: string | null): Promise<void> {
    await this.#coded(`${name} was not moved`, async () => {
      if (version === null) return rm(this.#at(name), { force: true })
      const temporary = await this.#temporary()
      await symlink(version, temporary)
      this.onStage(`${name} linked`)
      await rename(temporary, this.#at(name))
      this.onStage(`${name} moved`)
    })
  }

  /** Only what nobody can still be at work on: versions are added while others are removed. */
  async clear(): Promise<void> {
    const isAbandoned = (path: string) => {
      const found = lstatSync(path, { throwIfNoEntry: false })
      return Date.now() - (found?.mtimeMs ?? 0) > ABANDONED_MS
    }
    await this.#coded('the work directory was not cleared', () => clearWork(this.directory, isAbandoned))
  }

  #at(path: string): string {
    return join(this.directory, ...path.split('/'))
  }

  /** A path in the work directory that nobody else uses. */
  async #temporary(kind = SMALL): Promise<string> {
    await takeRegistry(this.directory)
    return join(this.directory, WORK, `${kind}-${randomBytes(6).toString('hex')}`)
  }

  async #coded<T>(message: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (error) {
      const reason = systemCode(error)
      if (error instanceof BcodError || reason === undefined) throw error
      const place = this.directory
      if (isDiskFull(error)) throw new BcodError('ADAPTER_DISK_FULL', message, { place, cause: error })
      throw new BcodError('ADAPTER_IO', `${message} (${reason})`, { place, cause: error })
    }
  }
}

const DIRECTORY_MODE = 0o755
const FILE_MODE = 0o644
const SMALL = 'file'
/** Nobody takes so long from one file of a version to the next. */
const ABANDONED_MS = 600_000

async function absentAs<T, U>(reading: Promise<T>, absent: U): Promise<T | U> {
  try {
    return await reading
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return absent
    throw error
  }
}
