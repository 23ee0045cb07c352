import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { parquetRows } from '../../src/import/parquet-rows.js'
import type { Row } from '../../src/import/rows.js'
import { fixture, plain, reading, written } from './reading.js'

/** What pyarrow wrote: fixtures/parquet/write.py. */
const file = (name: string) => fixture(join('parquet', `${name}.parquet`))

async function rows(path: string) {
  const found: Row[] = []
  for await (const row of parquetRows(path)) found.push(row)
  return found
}

const said = (role: string, content: string) => [{ role, content, name: null }]
const ROW = {
  prompt: said('user', 'Where is the lift?'),
  completion: said('assistant', 'Behind you: Ä, 語, 🙂'),
  time: '2026-03-01T12:00:00.250Z',
  picture: null,
}

describe.each(['snappy', 'gzip', 'zstd', 'brotli', 'none', 'v2'])('a file of pyarrow, packed as %s', (name) => {
  it('gives its rows over all row groups, as JSON has them', async () => {
    const path = file(name)
    expect(await rows(path)).toEqual(
      [
        { ...ROW, label: true, row: 0, score: 0, tags: [] },
        { ...ROW, label: false, row: 1, score: 0.5, tags: ['a', null] },
        { ...ROW, label: null, row: '9007199254740994', score: 1, tags: ['a', null] },
      ].map((value, i) => ({ place: `${path}:${i + 1}`, value, list: null })),
    )
  })
})

it('gives votes on unpaired rows and on pairs', async () => {
  const { events, report } = await reading('trl-unpaired', [file('snappy')])
  const answer = ['assistant: Behind you: Ä, 語, 🙂']
  expect(events.map(plain)).toEqual([
    [true, null, ['user: Where is the lift?'], answer],
    [false, null, ['user: Where is the lift?'], answer],
  ])
  expect(report.skipped_by_reason).toEqual({ no_label: 1 })
  const pairs = await reading('preference', [file('pairs')])
  expect(pairs.events.map(plain)).toEqual([
    [true, null, '2+2=', '4'],
    [false, null, '2+2=', '5'],
    [true, null, '2+2=', '6'],
    [false, null, '2+2=', '5'],
  ])
  expect(pairs.report.skipped_by_reason).toEqual({ tie: 1 })
})

it('gives the ids that the same rows have as JSON', async () => {
  const asJson = (await rows(file('snappy'))).map(({ value }) => value)
  const [table, json] = [
    await reading('trl-unpaired', [file('snappy')]),
    await reading('trl-unpaired', [written(asJson)]),
  ]
  expect(table.events).toEqual(json.events)
})

it('says how a file is packed that it does not read, and what other formats say of Parquet', async () => {
  const message = 'is packed with LZ4_RAW, which is not read'
  await expect(rows(file('lz4'))).rejects.toMatchObject({ code: 'IMPORT_FILE_INVALID', message })
  await expect(reading('anythingllm', [file('pairs')])).rejects.toMatchObject({ code: 'FILE_FOREIGN' })
})

it('refuses a row group that memory may not hold', async () => {
  await expect(rows(file('large'))).rejects.toMatchObject({
    ...{ code: 'IMPORT_FILE_INVALID', place: `${file('large')} row group 1` },
    message: expect.stringMatching(/^has \d+ bytes in 4194305 rows, too many to read at once$/),
    remedy: expect.stringContaining('to_parquet(FILE, batch_size=1000)'),
  })
})

it('ends with the place if the file is cut short or does not exist', async () => {
  const bytes = readFileSync(file('snappy'))
  for (const length of [4, 11, 100, bytes.length - 1]) {
    const path = written(bytes.subarray(0, length))
    const failed = reading('trl-unpaired', [path])
    await expect(failed).rejects.toMatchObject({
      code: 'IMPORT_FILE_INVALID',
      message: 'is a broken Parquet file',
      place: path,
    })
  }
  await expect(rows('/nowhere/a.parquet')).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
})

it('gives rows or one error for whatever stands in the bytes', async () => {
  const change = fc.tuple(fc.nat(2 ** 16), fc.nat(255))
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('pairs', 'v2'),
      fc.array(change, { minLength: 1, maxLength: 4 }),
      async (name, changed) => {
        const broken = readFileSync(file(name))
        for (const [at, byte] of changed) broken[at % broken.length] = byte
        const read = await rows(written(broken)).catch((error: unknown) => error)
        if (!Array.isArray(read)) expect(read).toBeInstanceOf(BcodError)
      },
    ),
    { numRuns: 200 },
  )
}, 60_000)
