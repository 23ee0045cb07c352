import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { readJsonl } from '../../src/events/jsonl.js'
import { readLines } from '../../src/events/lines.js'
import { cloudEvent } from './records.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-jsonl-'))
afterAll(() => rmSync(dir, { recursive: true }))

function file(content: string | Uint8Array): string {
  const path = join(dir, 'votes.jsonl')
  writeFileSync(path, content)
  return path
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const ROW = { prompt_tokens: [1], completion_tokens: [2], label: true }

describe('readJsonl', () => {
  it('reads canonical events and bare rows in file order', async () => {
    const event = cloudEvent({ label: false }, { time: '2026-01-01T00:00:00Z' })
    const path = file(`${JSON.stringify(ROW)}\r\n\n${JSON.stringify(event)}\n${JSON.stringify(ROW)}`)
    expect(await all(readJsonl(path))).toMatchObject([
      {
        source: 'votes.jsonl',
        id: 'votes.jsonl:1',
        timestamp: 0,
        position: { topic: 'votes.jsonl', partition: 0, offset: 1 },
      },
      { source: 'chat-web', id: 'e-1', label: false, timestamp: Date.UTC(2026, 0, 1), position: { offset: 3 } },
      { source: 'votes.jsonl', id: 'votes.jsonl:4', position: { offset: 4 } },
    ])
  })

  it('reads an empty file', async () => {
    expect(await all(readJsonl(file('')))).toEqual([])
  })

  it('names file, line and field of the first bad row, after the good ones', async () => {
    const path = file(`${JSON.stringify(ROW)}\n${JSON.stringify({ ...ROW, label: 'yes' })}\n`)
    const votes = readJsonl(path)
    expect((await votes.next()).value).toMatchObject({ label: true })
    await expect(votes.next()).rejects.toMatchObject({
      line: `FEEDBACK_INVALID ${path}:2 data.label: expected boolean or null, got a string of 3 characters`,
    })
  })

  it('names the line that is not JSON or not UTF-8', async () => {
    const text = file(`${JSON.stringify(ROW)}\nnot json\n`)
    await expect(all(readJsonl(text))).rejects.toMatchObject({ code: 'FEEDBACK_NOT_JSON', place: `${text}:2` })
    const latin1 = file(Buffer.from('{"prompt": "caf\xe9"}', 'latin1'))
    await expect(all(readJsonl(latin1))).rejects.toMatchObject({
      line: `FEEDBACK_NOT_JSON ${latin1}:1: not UTF-8 at byte 15`,
    })
  })

  it('refuses a line over the limit before its end is read', async () => {
    const path = file(`${JSON.stringify(ROW)}\n"${'a'.repeat(1_000_000)}"\n`)
    await expect(all(readJsonl(path, { maxRecordBytes: 1000 }))).rejects.toMatchObject({
      line: `FEEDBACK_TOO_LARGE ${path}:2: over 1000 bytes`,
    })
  })

  it('checks token ids against a vocabulary', async () => {
    const path = file(JSON.stringify(ROW))
    await expect(all(readJsonl(path, { vocabSize: 2 }))).rejects.toMatchObject({
      line: `FEEDBACK_INVALID ${path}:1 data.completion_tokens[0]: a token id is outside the vocabulary of 2`,
    })
  })

  it('says that a file cannot be read', async () => {
    await expect(all(readJsonl(join(dir, 'none.jsonl')))).rejects.toMatchObject({
      line: `FILE_UNREADABLE ${join(dir, 'none.jsonl')}: cannot be read (ENOENT)`,
    })
  })
})

describe('a file that is one JSON array', () => {
  const rows = [ROW, { ...ROW, label: false }, { prompt: 'a ] , [ } " \\ b', completion: '{[', label: true }]

  it.each([
    ['on one line', JSON.stringify(rows)],
    ['spread over lines', JSON.stringify(rows, null, 2)],
    ['behind a byte order mark and white space', `\uFEFF \r\n\t${JSON.stringify(rows)}\n\n`],
  ])('gives its elements by their numbers: %s', async (_, text) => {
    const path = file(text)
    expect(await all(readJsonl(path))).toMatchObject([
      { id: 'votes.jsonl:1', label: true, position: { offset: 1 } },
      { id: 'votes.jsonl:2', label: false },
      { id: 'votes.jsonl:3', label: true, prompt: { kind: 'text', text: 'a ] , [ } " \\ b' } },
    ])
  })

  it('is the array that JSON.parse reads, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.jsonValue()), fc.nat(3), async (values, indent) => {
        const lines = await all(readLines(file(JSON.stringify(values, null, indent)), 2 ** 20))
        expect(lines.map(({ number }) => number)).toEqual(values.map((_, i) => i + 1))
        expect(lines.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()))).toEqual(
          JSON.parse(JSON.stringify(values)),
        )
      }),
      { numRuns: 200 },
    )
  })

  it('names the element that is wrong', async () => {
    const wrong = file(JSON.stringify([ROW, { ...ROW, label: 'yes' }], null, 2))
    await expect(all(readJsonl(wrong))).rejects.toMatchObject({
      code: 'FEEDBACK_INVALID',
      place: `${wrong}:2 data.label`,
    })
    const python = file('[{"label": True}]')
    await expect(all(readJsonl(python))).rejects.toMatchObject({
      line: `FEEDBACK_NOT_JSON ${python}:1: not JSON at character 10: a word that is not true, false or null`,
    })
  })

  it.each([
    ['[{"a": 1}', 1, 'the array ends too early'],
    ['[{"a": "]', 1, 'the array ends too early'],
    ['[1,,2]', 2, 'the array has a comma without an element'],
    ['[1,]', 2, 'the array has a comma without an element'],
    ['[1] [2]', 2, 'something follows the array'],
  ])('that is broken says how: %s', async (text, element, problem) => {
    const path = file(text)
    await expect(all(readLines(path, 1000))).rejects.toMatchObject({
      line: `FEEDBACK_NOT_JSON ${path}:${element}: ${problem}`,
    })
  })

  it('may be empty, and an element over the limit is refused before its end is read', async () => {
    expect(await all(readLines(file(' [ ] '), 100))).toEqual([])
    const path = file(`[1, "${'a'.repeat(1_000_000)}"]`)
    await expect(all(readLines(path, 1000))).rejects.toMatchObject({
      line: `FEEDBACK_TOO_LARGE ${path}:2: over 1000 bytes`,
    })
  })
})

describe('a file that is something else', () => {
  it.each([
    [
      'a Git LFS pointer',
      `version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n`,
      /is a Git LFS pointer/,
    ],
    ['UTF-16', Buffer.from(`\uFEFF${JSON.stringify(ROW)}`, 'utf16le'), /is in UTF-16/],
    ['gzip', Buffer.from([0x1f, 0x8b, 8, 0]), /is compressed with gzip/],
    ['Parquet', 'PAR1....', /is a Parquet file/],
    ['a web page', '<!doctype html>', /is a web page/],
  ])('says that it is %s', async (_, content, message) => {
    await expect(all(readJsonl(file(content)))).rejects.toMatchObject({
      code: 'FILE_FOREIGN',
      message: expect.stringMatching(message),
    })
  })
})

describe('readLines', () => {
  it('passes over a line that is too long, however the bytes come, and never holds it whole', async () => {
    const long = 'x'.repeat(300_000)
    const tooLong: number[] = []
    const lines = readLines(file(`a\n${long}\nb\n${long}`), 10, (line) => void tooLong.push(line))
    const found = (await all(lines)).map(({ number, bytes }) => [number, Buffer.from(bytes).toString()])
    expect(found).toEqual([
      [1, 'a'],
      [3, 'b'],
    ])
    expect(tooLong).toEqual([2, 4])
  })

  it('splits as String.split does, whatever the chunks, and skips blank lines', async () => {
    const line = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant(' \t'), fc.constant('x'.repeat(70_000)))
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (values) => {
        const text = values.join('\n')
        const lines = await all(readLines(file(text), 2 ** 20))
        const expected = text
          .split('\n')
          .map((value, i) => ({ number: i + 1, text: value }))
          .filter(({ text: value }) => /[^ \t\r]/.test(value))
        expect(lines.map(({ number, bytes }) => ({ number, text: Buffer.from(bytes).toString() }))).toEqual(expected)
      }),
      { numRuns: 50 },
    )
  })
})
