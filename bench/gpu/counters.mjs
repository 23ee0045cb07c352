// What the stand-in counts, in the order of `enum counter` in stand-in/stand-in.h.
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'

export const COUNTERS = [
  'kernels',
  'products',
  'fills',
  'copiesOnDevice',
  'bytesOnDevice',
  'graphLaunches',
  'graphKernels',
  'graphProducts',
  'graphFills',
  'graphCopies',
  'copiesToDevice',
  'bytesToDevice',
  'copiesFromDevice',
  'bytesFromDevice',
  'waits',
  'modules',
]
const ROOM = 64 * 8

/** Makes the file that the stand-in counts in. */
export const makeCounters = (path) => writeFileSync(path, Buffer.alloc(ROOM))

/** The counts so far, by name. */
export function readCounters(path) {
  const bytes = Buffer.alloc(ROOM)
  const file = openSync(path, 'r')
  try {
    readSync(file, bytes, 0, ROOM, 0)
  } finally {
    closeSync(file)
  }
  return Object.fromEntries(COUNTERS.map((name, i) => [name, Number(bytes.readBigUInt64LE(8 * i))]))
}

/** Counts by name, each made of the same of all. */
export const combine = (of, ...all) =>
  Object.fromEntries(COUNTERS.map((name) => [name, of(...all.map((c) => c[name]))]))
