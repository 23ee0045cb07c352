import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { emptyTally, fileEvents } from '../../src/replay/events.js'
import { jsonl, scratchDirectory } from '../support/bcod.js'

const OFF = ['stream.holdBack=0', 'eval.holdOut=0', 'limits.userShare=0', 'limits.promptRepeats=0']

interface Row {
  readonly id: string
  readonly label: boolean | null
  readonly subject?: string
  readonly user?: string
  /** Seconds. */
  readonly at?: number | null
  readonly prompt?: readonly number[]
}

const event = ({ id, label, subject = id, user, at = 0, prompt = [1, 2] }: Row) => ({
  ...{ specversion: '1.0', type: 'bcod.feedback.v1', source: 'test', id, subject },
  ...(at !== null && { time: new Date(Date.UTC(2026, 0, 1) + 1000 * at).toISOString() }),
  data: { prompt_tokens: prompt, completion_tokens: [3, 4], label, user },
})

async function read(rows: readonly Row[], ...set: readonly string[]) {
  const path = jsonl(scratchDirectory(), 'rows.jsonl', rows.map(event))
  const config = loadConfig({ env: {}, set: [...OFF, ...set] })
  const tally = emptyTally()
  const ids: string[] = []
  for await (const { id, label } of fileEvents({ path, config, text: null, vocabSize: 16, maxLength: 8 }, tally))
    ids.push(`${id}${label ? '+' : '-'}`)
  return { ids, tally: { ...tally, dropped: Object.fromEntries(tally.dropped) } }
}

test('every vote trains in file order where nothing else is asked for; the same label again does not', async () => {
  const { ids, tally } = await read([
    { id: 'a', label: true, subject: 's', user: 'u' },
    { id: 'b', label: false, subject: 's', user: 'u' },
    { id: 'c', label: false, subject: 's', user: 'u' },
    { id: 'd', label: false, subject: 's', user: 'v' },
  ])
  expect(ids).toEqual(['a+', 'b-', 'd-'])
  expect(tally).toMatchObject({ events: 4, lastLine: 4, dropped: { repeat: 1 } })
})

test('with hold-back, a vote that changes within the window trains once, by the times of the events', async () => {
  const rows = [
    { id: 'a', label: true, subject: 's', user: 'u', at: 0 },
    { id: 'b', label: false, subject: 's', user: 'u', at: 20 },
    { id: 'c', label: true, at: 60 },
    { id: 'd', label: false, subject: 's', user: 'u', at: 61 },
    { id: 'e', label: true, subject: 's', user: 'u', at: 62 },
  ]
  const { ids, tally } = await read(rows, 'stream.holdBack=30s')
  expect(ids).toEqual(['b-', 'c+', 'e+'])
  expect(tally.dropped).toEqual({ superseded: 1, repeat: 1 })
})

test('times that run back do not shorten the window: a row counts as written no earlier than the rows before it', async () => {
  const rows = [
    { id: 'a', label: true, at: 60 },
    { id: 'b', label: true, subject: 's', user: 'u', at: 10 },
    { id: 'c', label: true, at: 89 },
    { id: 'd', label: false, subject: 's', user: 'u', at: 0 },
    { id: 'e', label: true, at: 200 },
  ]
  const { ids, tally } = await read(rows, 'stream.holdBack=30s')
  expect(ids).toEqual(['a+', 'c+', 'd-', 'e+'])
  expect(tally.dropped).toEqual({ superseded: 1 })
})

test('rows without a time are held until a later time, or the end of the file, shows that their window is over', async () => {
  const untimed = (id: string, label: boolean) => ({ id, label, subject: 's', user: 'u', at: null })
  const rows = [
    { id: 'a', label: true, at: 0 },
    untimed('b', true),
    untimed('c', false),
    { id: 'd', label: true, at: 31 },
  ]
  expect((await read(rows, 'stream.holdBack=30s')).ids).toEqual(['a+', 'c-', 'd+'])
})

test('hold-out and caps work where they are set', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => ({ id: `e${i}`, label: i % 2 === 0, user: 'loud' }))
  const prompts = rows.map((row, i) => ({ ...row, prompt: [i % 10, Math.floor(i / 10) % 10] }))
  const half = await read(prompts, 'eval.holdOut=0.5')
  expect(half.tally.heldOut).toBeGreaterThan(60)
  expect(half.ids.length + half.tally.heldOut).toBe(200)
  // the second hundred has the prompts of the first
  const trained = half.ids.map((id) => Number.parseInt(id.slice(1), 10) % 100)
  expect(trained).toHaveLength(2 * new Set(trained).size)
  const capped = await read(rows, 'limits.promptRepeats=3')
  expect(capped.ids).toHaveLength(3)
  expect(capped.tally.dropped).toEqual({ prompt_cap: 197 })
})

test('a prompt that is cut to length is counted', async () => {
  const rows = [
    { id: 'a', label: true, prompt: [1, 2, 3, 4, 5, 6, 7] },
    { id: 'b', label: true, prompt: [1, 2, 3, 4, 5, 6] },
  ]
  const { tally } = await read(rows)
  expect(tally).toMatchObject({ events: 2, shortened: 1 })
})
