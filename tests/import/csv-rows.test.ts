import fc from 'fast-check'
import { expect, it } from 'vitest'
import { fileRows } from '../../src/import/files.js'
import type { Row } from '../../src/import/rows.js'
import { plain, reading, written } from './reading.js'

async function rows(path: string, { columns = ['id'], maxBytes = 2 ** 20 } = {}) {
  const found: Row[] = []
  for await (const row of fileRows([path], { lists: [], csv: columns }, maxBytes)()) found.push(row)
  return found.map(({ place, value, problem }) => [place.replace(path, ''), value ?? problem])
}

const csv = (text: string | Buffer) => written(text, 'export.csv')

it('reads quotes, line breaks and commas in fields, and names the line on which a record begins', async () => {
  const text = 'id,"a ""b"""\n1,"x\ny, ""z"""\n\n2,\n3,x\n'
  expect(await rows(csv(text))).toEqual([
    [':2', { id: '1', 'a "b"': 'x\ny, "z"' }],
    [':5', { id: '2', 'a "b"': '' }],
    [':6', { id: '3', 'a "b"': 'x' }],
  ])
})

it('reads a byte order mark, and lines as Windows ends them', async () => {
  expect(await rows(csv('\ufeffid,a\r\n1,"x\r\ny"\r\n\r\n2,é'))).toEqual([
    [':2', { id: '1', a: 'x\r\ny' }],
    [':5', { id: '2', a: 'é' }],
  ])
})

it('reads back whatever stands in fields, across pieces of a file', async () => {
  const field = fc.tuple(fc.string({ unit: 'binary' }), fc.nat(1_500)).map(([text, times]) => text.repeat(times))
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(field, field), { minLength: 1, maxLength: 8 }), async (records) => {
      const texts = records.map(([id, a]) => [id.toWellFormed(), a.toWellFormed()] as const)
      const lines = texts.map((fields) => fields.map(quoted).join(','))
      const found = await rows(csv(['id,a', ...lines].join('\n')))
      expect(found.map(([, value]) => value)).toEqual(texts.map(([id, a]) => ({ id, a })))
    }),
    { numRuns: 30 },
  )
})

it('skips a record with too many or too few fields, or of broken UTF-8, and reads on', async () => {
  const text = Buffer.from('id,a\n1,2,3\n4\n5,\xff\n6,x\n', 'latin1')
  expect(await rows(csv(text))).toEqual([
    [':2', 'expected 2 fields, found 3'],
    [':3', 'expected 2 fields, found 1'],
    [':4', 'not UTF-8 in field 2'],
    [':5', { id: '6', a: 'x' }],
  ])
})

it.each([
  ['its first line names no column id, rating', 1, 'a,secret\n1,2\n'],
  ['the record that begins here is broken: a quote is not closed', 3, 'id,rating\n1,x\n2,"secret\n3,x\n'],
  ['the record that begins here is broken: a quote is not where one may be', 4, 'id,rating\n1,"\n"\n2,"sec"ret"\n'],
  ['the record that begins here is broken: a quote is not where one may be', 3, 'id,rating\n1,x\n2,sec"ret"\n'],
])('ends where nothing more can be found: %s, line %i', async (message, line, text) => {
  const path = csv(text)
  const failed = rows(path, { columns: ['id', 'rating'] })
  await expect(failed).rejects.toMatchObject({ code: 'IMPORT_FILE_INVALID', message, place: `${path}:${line}` })
})

it('reads a record up to the limit, counted in bytes, and no longer one', async () => {
  const path = csv(`id,a\n1,${'é'.repeat(50_000)}\n`)
  expect(await rows(path, { maxBytes: 100_001 })).toHaveLength(1)
  const failed = rows(path, { maxBytes: 99_999 })
  await expect(failed).rejects.toMatchObject({ code: 'FEEDBACK_TOO_LARGE', place: `${path}:2` })
})

it('leaves JSON and foreign files to their own readers', async () => {
  expect(await rows(written(' \n[{"id":1}]'))).toEqual([[':1', { id: 1 }]])
  expect(await rows(written(''))).toEqual([])
  await expect(rows(written('<!doctype html>'))).rejects.toMatchObject({ code: 'FILE_FOREIGN' })
  await expect(rows(written('id,a\n1,2\n').replace('export', 'none'))).rejects.toMatchObject({
    code: 'FILE_UNREADABLE',
  })
})

it('AnythingLLM: its CSV gives the votes of its JSON', async () => {
  const rows = [
    { id: 5, workspace: 'w', prompt: 'Say "hi", twice', response: 'Hi, "hi"!', username: 'ann', rating: 'GOOD' },
    { id: 6, workspace: 'w', prompt: 'And?', response: 'Nothing.', username: 'API', rating: 'BAD' },
    { id: 7, workspace: 'w', prompt: 'So?', response: 'So.', username: 'unknown user', rating: '--' },
  ]
  const [sent, columns] = ['2026-03-01T12:00:00.000Z', ['id', 'workspace', 'prompt', 'response', 'sent_at', 'username']]
  const asJson = rows.map((row) => ({ ...row, sent_at: sent, attachments: [] }))
  const lines = rows.map((row) => {
    const fields = { ...row, sent_at: 'Sun Mar 01 2026 13:00:00 GMT+0100 (Central European Standard Time)' }
    const named = [...columns, 'rating'].map((name) => String(fields[name as keyof typeof fields]))
    return named.map((field) => `"${field.replaceAll('"', '""')}"`).join(',')
  })
  const asCsv = [[...columns, 'rating'].join(','), ...lines].join('\n')
  const [json, table] = await Promise.all([
    reading('anythingllm', [written(asJson)]),
    reading('anythingllm', [csv(asCsv)]),
  ])
  expect(table.events).toEqual(json.events)
  expect(table.events.map(plain)).toEqual([
    [true, 'ann', ['user: Say "hi", twice'], 'Hi, "hi"!'],
    [false, null, ['user: And?'], 'Nothing.'],
  ])
  expect(table.events[0]).toMatchObject({ id: '5@GOOD', time: sent })
  expect(table.report.skipped_by_reason).toEqual({ not_a_vote: 1 })
})
