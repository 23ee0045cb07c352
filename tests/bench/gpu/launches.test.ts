import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { judge } from '../../../bench/gpu/budget.mjs'
import { COUNTERS, combine, makeCounters, readCounters } from '../../../bench/gpu/counters.mjs'

test('what a step asks for is held against its bounds, each by itself', () => {
  const { more, less } = judge({ kernels: 11, products: 4, waits: 2 }, { kernels: 10, products: 5, waits: 2 })
  expect(more).toEqual(['kernels 11, at most 10 are allowed'])
  expect(less).toEqual(['products 4, at most 5 are allowed'])
})

test('what was not counted is not within its bound', () => {
  expect(judge({}, { kernels: 10 }).more).toHaveLength(1)
})

test('every case of the budget bounds what is counted', () => {
  const budget = JSON.parse(readFileSync('bench/gpu/budget.json', 'utf8')) as Record<string, { atMost: object }>
  for (const { atMost } of Object.values(budget)) {
    expect(Object.keys(atMost).length).toBeGreaterThan(0)
    expect(COUNTERS).toEqual(expect.arrayContaining(Object.keys(atMost)))
  }
})

test('the counters are those of the stand-in, in its order', () => {
  const header = readFileSync('bench/gpu/stand-in/stand-in.h', 'utf8').replace(/\/\/.*/g, '')
  const names = /enum counter \{([^}]*)\}/.exec(header)?.[1]?.match(/[A-Z_]+/g) ?? []
  const camel = names.map((name) => name.toLowerCase().replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()))
  expect(camel).toEqual([...COUNTERS, 'counters'])
})

test('counts are read as 64-bit numbers, and combined by name', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-counters-'))
  try {
    const path = join(directory, 'counters')
    makeCounters(path)
    expect(Object.values(readCounters(path))).toEqual(COUNTERS.map(() => 0))
    const bytes = Buffer.alloc(64 * 8)
    bytes.writeBigUInt64LE(2n ** 33n, 0)
    writeFileSync(path, bytes)
    const counts = readCounters(path)
    expect(counts.kernels).toBe(2 ** 33)
    expect(combine((a, b) => a - b, counts, counts).kernels).toBe(0)
  } finally {
    rmSync(directory, { recursive: true })
  }
})
