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

describe('readLines', () => {
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
