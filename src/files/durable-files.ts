import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'

export interface WrittenFile {
  readonly bytes: number
  readonly sha256: string
}

/**
 * Creates a file, writes the chunks and returns once they are on the disk. Yields to the event loop between pieces, so
 * that a large adapter does not stop the process from answering.
 *
 * @param mode  permission bits, whatever the umask
 */
export async function writeFileDurably(
  path: string,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  mode: number,
): Promise<WrittenFile> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', mode)
  try {
    await file.chmod(mode)
    let bytes = 0
    for await (const chunk of chunks) {
      for (let begin = 0; begin < chunk.length; begin += PIECE_BYTES) {
        const piece = chunk.subarray(begin, begin + PIECE_BYTES)
        hash.update(piece)
        await writeAll(file, piece, bytes)
        bytes += piece.length
      }
    }
    await file.sync()
    return { bytes, sha256: hash.digest('hex') }
  } finally {
    await file.close()
  }
}

/** Writes all of the bytes at a position; one system call may take fewer. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/** Makes the names in a directory durable: files created in it, renamed into it or removed from it. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** `syncDirectory` for those that cannot wait: the process does nothing else meanwhile. */
export function syncDirectoryNow(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Whether an operating-system error says that there is no space (or quota) left. */
export const isDiskFull = (error: unknown): boolean => ['ENOSPC', 'EDQUOT'].includes(systemCode(error) ?? '')

/** `ENOENT`, `EACCES`, … of an operating-system error. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && 'syscall' in error ? String(error.code) : undefined

const PIECE_BYTES = 4 * 2 ** 20
