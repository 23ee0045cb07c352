import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../src/events/json.js'
import { eventsOf } from '../../src/import/events.js'
import { FORMATS } from '../../src/import/formats.js'
import { ReportBuilder } from '../../src/import/report.js'
import { unpacked } from '../../src/import/rows.js'
import { fixture } from './reading.js'

const json = (name: string): unknown => JSON.parse(readFileSync(fixture(name), 'utf8'))
const lines = (name: string): unknown[] =>
  readFileSync(fixture(name), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

/** Records that products wrote, of several of them. */
const RECORDS: readonly unknown[] = [
  ...(json('open-webui.json') as unknown[]),
  ...lines('mlflow.jsonl'),
  ...lines('mlflow-api.jsonl'),
  json('phoenix-spans.json'),
  json('phoenix-annotations.json'),
]

/** The value with the part that `at` chooses replaced. */
function spoilt(value: unknown, at: readonly number[], replacement: unknown): unknown {
  const [first, ...rest] = at
  if (first === undefined) return replacement
  if (Array.isArray(value) && value.length > 0) {
    return value.map((each, i) => (i === first % value.length ? spoilt(each, rest, replacement) : each))
  }
  if (!isJsonObject(value) || Object.keys(value).length === 0) return replacement
  const keys = Object.keys(value)
  const key = keys[first % keys.length] as string
  return { ...value, [key]: spoilt(value[key], rest, replacement) }
}

describe.each(FORMATS.map((format) => [format.name, format] as const))('%s', (name, format) => {
  it('gives a vote or a reason for whatever stands in a record, and never ends', async () => {
    const record = fc.tuple(fc.constantFrom(...RECORDS), fc.array(fc.nat(40), { maxLength: 9 }), fc.jsonValue())
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 4 }), async (records) => {
        const values = records.map(([value, at, replacement]) => spoilt(value, at, replacement))
        const rows = async function* () {
          for (const value of values) yield* unpacked(value, 'file:1', format.lists)
        }
        const report = new ReportBuilder(name, name)
        const options = { source: name, userOf: (user: string) => user, maxBytes: 2 ** 20 }
        let events = 0
        for await (const _ of eventsOf(format.read(rows, {}), options, report)) events += 1
        expect(report.report().events).toBe(events)
      }),
      { numRuns: 200 },
    )
  })
})
