import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fileRows } from '../../src/import/files.js'
import type { Row } from '../../src/import/rows.js'
import { written } from './reading.js'

async function rows(path: string, lists: readonly string[] = [], maxBytes?: number) {
  const found: Row[] = []
  for await (const row of fileRows([path], { lists }, maxBytes)()) found.push(row)
  return found.map(({ place, value, list }) => [place.replace(path, ''), list, value])
}

it('reads lines, and names the broken one', async () => {
  expect(await rows(written('{"a":1}\n\n{"a":\n[1]\n{"a":2}'))).toEqual([
    [':1', null, { a: 1 }],
    [':3', null, null],
    [':4', null, null],
    [':5', null, { a: 2 }],
  ])
})

it('reads the elements of an array', async () => {
  expect(await rows(written('[\n {"a":1},\n {"a":2}\n]'))).toEqual([
    [':1', null, { a: 1 }],
    [':2', null, { a: 2 }],
  ])
})

it('reads the lists of an object over several lines or on one, else the object itself', async () => {
  const document = { votes: [{ a: 1 }, 2], other: [{ b: 1 }] }
  const expected = [
    ['votes', { a: 1 }],
    ['votes', null],
    ['other', { b: 1 }],
  ]
  for (const text of [JSON.stringify(document, null, 2), JSON.stringify(document)]) {
    const found = await rows(written(text), ['votes', 'other'])
    expect(found.map(([, list, value]) => [list, value])).toEqual(expected)
    expect(found[1]?.[0]).toMatch(/ votes\[1\]$/)
  }
  expect(await rows(written('{\n"a": 1\n}'), ['votes'])).toEqual([['', null, { a: 1 }]])
})

it('reads of an object its lists alone, whatever else is in it and in them', async () => {
  const odd = fc.jsonValue().map((value) => ({ votes: [value], 'a "[{': value }))
  await fc.assert(
    fc.asyncProperty(fc.array(odd), fc.jsonValue(), fc.nat(3), async (votes, other, indent) => {
      const text = JSON.stringify({ '\\': other, none: { votes: [1] }, votes, end: '"votes":[1]' }, null, 1 + indent)
      const found = await rows(written(text), ['votes'])
      expect(found.map(([, , value]) => value)).toEqual(JSON.parse(text).votes)
    }),
  )
})

it.each([
  ['the array ends too early', '{\n"votes": [{"a":1},\n{"a":2'],
  ['the object ends too early', '{\n"votes": [{"a":1}]'],
])('is broken where an object that has given records is: %s', async (message, text) => {
  const path = written(text)
  await expect(rows(path, ['votes'])).rejects.toMatchObject({ code: 'FEEDBACK_NOT_JSON', message })
})

it('counts a line that is too long for a record, and reads on', async () => {
  const found = await rows(written(`{"a":1}\n{"a":"${'x'.repeat(100)}"}\n{"a":2}`), [], 100)
  expect(found).toEqual([
    [':1', null, { a: 1 }],
    [':2', null, null],
    [':3', null, { a: 2 }],
  ])
})

it('reads an object on one line that is longer than a record may be', async () => {
  const votes = Array.from({ length: 20 }, (_, a) => ({ a }))
  expect(await rows(written(JSON.stringify({ votes })), ['votes'], 50)).toHaveLength(20)
})

it('takes a broken line at the head of a file for that line alone', async () => {
  expect(await rows(written('{"a":\n{"a":2}'))).toEqual([
    [':1', null, null],
    [':2', null, { a: 2 }],
  ])
})

it.each([
  ['is a Parquet file', 'PAR1....'],
  ['is compressed with gzip', '\x1f\x8b'],
])('says what a file is that is none of these: %s', async (message, text) => {
  const path = written('')
  writeFileSync(path, text, 'latin1')
  await expect(rows(path)).rejects.toMatchObject({ code: 'FILE_FOREIGN', message })
})
