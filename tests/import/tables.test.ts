import { expect, it } from 'vitest'
import { plain, reading, written } from './reading.js'

const read = async (format: string, rows: readonly unknown[]) => {
  const { events, report } = await reading(format, [written(rows)])
  return { events: events.map(plain), skipped: report.skipped_by_reason }
}

it('reads TRL’s unpaired rows of text and of messages', async () => {
  const chat = { prompt: [{ role: 'user', content: 'Hi' }], completion: [{ role: 'assistant', content: 'Hello!' }] }
  const rows = [
    { prompt: '2+2=', completion: '4', label: true },
    { ...chat, label: false },
    { ...chat, label: 'good' },
  ]
  expect(await read('trl-unpaired', rows)).toEqual({
    events: [
      [true, null, '2+2=', '4'],
      [false, null, ['user: Hi'], ['assistant: Hello!']],
    ],
    skipped: { no_label: 1 },
  })
})

it('gives a row the same id under another file name, and equal rows different ones', async () => {
  const row = { prompt: 'a', completion: 'b', label: true }
  const [first, second] = [written([row, row], 'a.jsonl'), written([row, row], 'b.jsonl')]
  const ids = async (path: string) => (await reading('trl-unpaired', [path])).events.map(({ id }) => id)
  expect(await ids(first)).toEqual(await ids(second))
  expect(new Set(await ids(first)).size).toBe(2)
})

it('reads a pair of fine-tuning services as two votes', async () => {
  const row = {
    input: { messages: [{ role: 'user', content: 'Cold today?' }], tools: [], parallel_tool_calls: true },
    preferred_output: [{ role: 'assistant', content: 'About 9 °C.' }],
    non_preferred_output: [{ role: 'assistant', content: 'Look outside.' }],
  }
  expect(await read('preference', [row])).toEqual({
    events: [
      [true, null, ['user: Cold today?'], 'About 9 °C.'],
      [false, null, ['user: Cold today?'], 'Look outside.'],
    ],
    skipped: {},
  })
})

it('reads chosen and rejected with a prompt, as whole chats and as transcripts', async () => {
  const said = (content: string) => [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content },
  ]
  const expected = [
    [true, null, ['user: Hi'], 'Hello!'],
    [false, null, ['user: Hi'], '?'],
  ]
  const chats = { prompt: 'Hi', prompt_id: 'ab12', chosen: said('Hello!'), rejected: said('?'), score_chosen: 8.5 }
  const prompted = { prompt: [said('')[0]], chosen: [said('Hello!')[1]], rejected: [said('?')[1]] }
  const transcripts = { chosen: '\n\nHuman: Hi\n\nAssistant: Hello!', rejected: '\n\nHuman: Hi\n\nAssistant: ?' }
  for (const row of [chats, prompted, transcripts]) expect((await read('preference', [row])).events).toEqual(expected)
  const texts = await read('preference', [{ prompt: '2+2=', chosen: '4', rejected: '5' }])
  expect(texts.events).toEqual([
    [true, null, '2+2=', '4'],
    [false, null, '2+2=', '5'],
  ])
})

it('keeps the turns of a transcript', async () => {
  const chosen = '\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: Help?\n\nAssistant: Sure.'
  const { events } = await read('preference', [{ chosen, rejected: chosen.replace('Sure', 'No') }])
  expect(events[0]).toEqual([true, null, ['user: Hi', 'assistant: Hello.', 'user: Help?'], 'Sure.'])
})

it('learns nothing from a tie, and two thumbs-down from two bad answers', async () => {
  const said = (content: string) => [
    { role: 'user', content: 'Hi' },
    { role: 'assistant', content },
  ]
  const battle = { conversation_a: said('a'), conversation_b: said('b'), model_a: 'x', model_b: 'y' }
  const winners = ['model_b', 'tie', 'tie (bothbad)', 'nobody'].map((winner) => ({ ...battle, winner }))
  expect(await read('preference', winners)).toEqual({
    events: [
      [false, null, ['user: Hi'], 'a'],
      [true, null, ['user: Hi'], 'b'],
      [false, null, ['user: Hi'], 'a'],
      [false, null, ['user: Hi'], 'b'],
    ],
    skipped: { no_label: 1, tie: 1 },
  })
  const same = { prompt: 'Hi', chosen: 'a', rejected: 'a' }
  const scored = { prompt: 'Hi', chosen: 'a', rejected: 'b', score_chosen: 7, score_rejected: 7 }
  expect((await read('preference', [same, scored])).skipped).toEqual({ tie: 2 })
})

it('skips what events refuse, naming the field and not the text', async () => {
  const image = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'secret' } }] }]
  const path = written([
    { prompt: image, completion: 'a lift', label: true },
    { prompt: [{ role: 'narrator', content: 'secret' }], completion: 'x', label: true },
    { prompt: 'secret', completion: '', label: true },
    'text',
  ])
  const { report } = await reading('trl-unpaired', [path])
  expect(report.skipped_by_reason).toEqual({ not_text: 1, invalid: 2, unreadable: 1 })
  expect(report.skipped_records.map(({ detail }) => detail)).toContainEqual(
    expect.stringMatching(/^FEEDBACK_INVALID data\.prompt\[0\]\.role: expected one of /),
  )
  expect(JSON.stringify(report)).not.toContain('secret')
})
