import { readdirSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory, writeAll } from '../files/durable-files.js'
import { takeDirectory } from '../files/own-directory.js'

/**
 * Moves what lies beyond `bytes` into `journal.tail-<n>.jsonl`. The copy is durable before the journal is cut: a crash
 * between the two sets the same tail aside once more.
 */
export async function setTailAside(journal: FileHandle, directory: string, bytes: number): Promise<void> {
  const temporary = join(takeDirectory(directory, { mode: 0o700 }), 'journal-tail')
  const tail = await open(temporary, 'w', 0o600)
  try {
    let position = 0
    for await (const piece of journal.createReadStream({ start: bytes, autoClose: false })) {
      await writeAll(tail, piece as Buffer, position)
      position += (piece as Buffer).length
    }
    await tail.sync()
  } finally {
    await tail.close()
  }
  await rename(temporary, join(directory, `journal.tail-${nextNumber(directory)}.jsonl`))
  await syncDirectory(directory)
  await journal.truncate(bytes)
  await journal.sync()
}

function nextNumber(directory: string): number {
  const taken = readdirSync(directory).map((name) => Number(/^journal\.tail-(\d+)\.jsonl$/.exec(name)?.[1] ?? 0))
  return Math.max(...taken) + 1
}
