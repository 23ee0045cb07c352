import { expect, it } from 'vitest'
import { fixture, fromDocument, plain, reading, written } from './reading.js'

const said = (role: string, content: string) => ({ role, content })

const langfuse = {
  scores: [
    {
      ...{ id: 's1', traceId: 't1', observationId: null, sessionId: null, name: 'user-feedback', value: 1 },
      ...{ dataType: 'BOOLEAN', stringValue: 'True', source: 'API', comment: 'good', metadata: {} },
      ...{ createdAt: '2026-03-01T12:00:00.000Z', updatedAt: '2026-03-01T12:00:00.000Z', trace: { userId: 'u7' } },
    },
    {
      ...{ id: 's2', name: 'user-feedback', value: false, dataType: 'BOOLEAN', source: 'ANNOTATION' },
      ...{ authorUserId: 'reviewer', subject: { kind: 'observation', id: 'o3', traceId: 't2' } },
      updatedAt: '2026-03-01T12:05:00.000Z',
    },
    {
      id: 's3',
      traceId: 't1',
      name: 'toxicity',
      value: 0,
      dataType: 'NUMERIC',
      source: 'API',
      updatedAt: '2026-03-01',
    },
    { id: 's4', traceId: 't1', name: 'user-feedback', value: 1, dataType: 'BOOLEAN', source: 'EVAL', updatedAt: 'x' },
    { id: 's5', traceId: 't9', name: 'user-feedback', value: 0, dataType: 'NUMERIC', source: 'API', updatedAt: 'x' },
    { id: 's6', traceId: 't1', name: 'user-feedback', value: 0.5, dataType: 'NUMERIC', source: 'API', updatedAt: 'x' },
    { id: 's7', sessionId: 'e', name: 'user-feedback', value: 1, dataType: 'BOOLEAN', source: 'API', updatedAt: 'x' },
  ],
  observations: [
    {
      ...{ id: 'o2', traceId: 't1', type: 'GENERATION', model: 'bcod', startTime: '2026-03-01T11:59:59.000Z' },
      ...{ input: [said('user', 'A title, please')], output: 'Lift' },
    },
    {
      ...{ id: 'o1', traceId: 't1', type: 'GENERATION', model: 'bcod', startTime: '2026-03-01T11:59:58.000Z' },
      ...{ input: [said('system', 'Be short.'), said('user', 'Hi')], output: said('assistant', 'Hello!') },
    },
    {
      ...{ id: 'o3', traceId: 't2', type: 'GENERATION', model: 'v00000007', startTime: '2026-03-01T12:04:00.000Z' },
      input: JSON.stringify({ messages: [said('user', 'Open today?')] }),
      output: JSON.stringify({ choices: [{ message: said('assistant', 'Until'), finish_reason: 'length' }] }),
    },
  ],
  traces: [{ id: 't1', name: 'chat', userId: 'u7', input: 'Hi', output: 'Hello!' }],
}

it('gives votes in the order of time, also of an export that has the newest first', async () => {
  const { drafts } = await fromDocument('langfuse', { ...langfuse, scores: langfuse.scores.toReversed() })
  expect(drafts.map(({ time }) => time)).toEqual(['2026-03-01T12:00:00.000Z', '2026-03-01T12:05:00.000Z'])
})

it('Langfuse: joins a score with the call that gave the answer shown, not with the one that made a title', async () => {
  const { events, drafts, skipped } = await fromDocument('langfuse', langfuse)
  expect(events).toEqual([
    [true, 'u7', ['system: Be short.', 'user: Hi'], 'Hello!'],
    [false, 'reviewer', ['user: Open today?'], 'Until'],
  ])
  expect(drafts[0]).toMatchObject({ id: 's1@2026-03-01T12:00:00.000Z', subject: 't1' })
  expect(drafts[1]).toMatchObject({ subject: 'o3', adapter: 'v00000007', finishReason: 'length' })
  expect(skipped).toEqual({ other_name: 1, not_human: 1, no_label: 1, answer_missing: 2 })
})

it('Langfuse: without the trace, the last call counts; another name and other values can be chosen', async () => {
  const { traces: _, ...without } = langfuse
  const last = await fromDocument('langfuse', without)
  expect(last.events[0]).toEqual([true, 'u7', ['user: A title, please'], 'Lift'])
  const row = { traceId: 't1', name: 'mood', dataType: 'CATEGORICAL', source: 'API', updatedAt: 'x' }
  const moods = ['happy', 'sad', 'so-so'].map((value, i) => ({ ...row, id: `m${i}`, value }))
  const options = { name: 'mood', up: ['happy'], down: ['sad'] }
  const chosen = await fromDocument('langfuse', { ...langfuse, scores: moods }, options)
  expect(chosen.events.map((event) => (event as unknown[])[0])).toEqual([true, false])
  expect(chosen.skipped).toEqual({ no_label: 1 })
})

it('MLflow, as its client writes traces and as its server answers: people only, and the last word of each', async () => {
  for (const name of ['mlflow.jsonl', 'mlflow-api.jsonl']) {
    const { events, report } = await reading('mlflow', [fixture(name)])
    expect(events.map(plain), name).toEqual([
      [true, 'user_9', ['system: Be short.', 'user: Where is the lift?'], 'Behind you.'],
      [true, 'user_123', ['user: Hi'], 'Hello!'],
    ])
    expect(events[0]).toMatchObject({
      ...{ id: 'a-a56b5d1c76e8400abd46dc8e2040a63f@2026-11-28T09:04:44.653Z' },
      ...{ subject: 'tr-268bd50b00a8b34103a78f16eb967cf6', finishReason: 'stop' },
    })
    expect(report.skipped_by_reason).toEqual({ not_human: 1, superseded: 1 })
  }
})

it('Phoenix, as its server answers: joins annotations with spans, and knows the voter', async () => {
  const files = ['phoenix-annotations.json', 'phoenix-spans.json'].map(fixture)
  const { events, report } = await reading('phoenix', files)
  expect(events.map(plain)).toEqual([
    [false, 'u7', ['system: Be short.', 'user: Open today?'], 'Until six.'],
    [true, 'ann', ['system: Be short.', 'user: Where is the lift?'], 'Behind you.'],
  ])
  expect(events[0]).toMatchObject({ id: 'U3BhbkFubm90YXRpb246Mg==@2026-11-28T09:06:37+00:00', tags: { model: 'bcod' } })
  expect(report.skipped_by_reason).toEqual({ other_name: 1 })
})

it('LangSmith: joins feedback with runs, whose messages LangChain writes in forms of its own', async () => {
  const made = (type: string, content: string) => ({
    ...{ lc: 1, type: 'constructor', id: ['langchain', 'schema', 'messages', type], kwargs: { content, type: 'x' } },
  })
  const feedback = (id: string, run: string, more: object) => ({
    ...{ id, run_id: run, key: 'user_score', score: 1, value: null, comment: null, extra: null },
    ...{ modified_at: '2026-03-01T12:00:00', feedback_source: { type: 'api', user_id: null }, ...more },
  })
  const { events, skipped } = await fromDocument('langsmith', {
    feedback: [
      feedback('f1', 'r1', { score: 0 }),
      feedback('f2', 'r2', { extra: { user: 'ann' } }),
      feedback('f3', 'r2', { feedback_source: { type: 'model' } }),
      feedback('f4', 'r2', { key: 'other' }),
      feedback('f5', 'r3', {}),
      feedback('f6', 'r4', {}),
    ],
    runs: [
      {
        ...{ id: 'r1', run_type: 'llm', inputs: { messages: [said('user', 'Hi')] } },
        outputs: { choices: [{ message: said('assistant', 'Hello!') }] },
      },
      {
        ...{ id: 'r2', run_type: 'llm', extra: { metadata: { ls_model_name: 'bcod-v00000003' } } },
        inputs: { messages: [[made('SystemMessage', 'Be short.'), made('HumanMessage', 'Open today?')]] },
        outputs: { generations: [[{ text: 'Until six.', message: made('AIMessage', 'Until six.') }]] },
      },
      { id: 'r4', run_type: 'llm', inputs: {}, outputs: null, error: 'RateLimitError()' },
    ],
  })
  expect(events).toEqual([
    [false, null, ['user: Hi'], 'Hello!'],
    [true, 'ann', ['system: Be short.', 'user: Open today?'], 'Until six.'],
  ])
  expect(skipped).toEqual({ other_name: 1, not_human: 1, answer_missing: 1, answer_cut: 1 })
})

it('skips what nests too deeply to be read', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const feedback = '{"id":"f","run_id":"r","key":"user_score","score":1,"modified_at":"x"}'
  const path = written(`{"feedback":[${feedback}],"runs":[{"id":"r","inputs":${deep},"outputs":"x"}]}`)
  const { report } = await reading('langsmith', [path])
  expect(report.skipped_by_reason).toEqual({ unreadable: 1 })
})
