import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { expect, it } from 'vitest'
import type { FeedbackDraft } from '../../src/events/encode.js'
import { encodeFeedback } from '../../src/events/encode.js'
import { writeEvents } from '../../src/import/out-file.js'
import { readState, writeState } from '../../src/import/state.js'
import { written } from './reading.js'

const event = (id: number): FeedbackDraft => ({
  ...{ source: 's', id: String(id), label: true },
  ...{ prompt: { kind: 'text', text: 'x'.repeat(1000) }, completion: { kind: 'text', text: 'y' } },
})

async function* first(count: number) {
  for (let i = 0; i < count; i++) yield event(i)
}

it.each([0, 1, 1000])('writes %d events, one a line', async (count) => {
  const path = written('')
  await writeEvents(path, first(count))
  const expected = Array.from({ length: count }, (_, i) => `${Buffer.from(encodeFeedback(event(i)))}\n`)
  expect(readFileSync(path, 'utf8')).toBe(expected.join(''))
})

it('takes the place of what a killed process of the same number has left', async () => {
  const path = written('before')
  writeFileSync(`${path}.incomplete-${process.pid}`, 'half')
  await writeEvents(path, first(1))
  expect(readFileSync(path, 'utf8')).toContain('"id":"0"')
  writeFileSync(`${path}.incomplete-${process.pid}`, 'half')
  await writeState(path, { format: 'f', source: 's', since: 5, votes: [] })
  expect(readState(path, { format: 'f', source: 's' })).toMatchObject({ since: 5 })
  expect(readdirSync(dirname(path))).toHaveLength(1)
})
