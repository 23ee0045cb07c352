import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { expect, test } from 'vitest'
import { ensureTopic } from '../../src/streams/kafka/topics.js'
import { bcod, documentOf, scratchDirectory } from '../support/bcod.js'
import { startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { spoiltModel } from '../support/spoilt-model.js'

interface Check {
  readonly name: string
  readonly status: string
  readonly detail: string
  readonly remedy: string | null
}

function configuration(lines: readonly string[]): string {
  const path = join(scratchDirectory(), 'bcod.yaml')
  writeFileSync(path, lines.join('\n'))
  return path
}

const COMPLETE = (directory: string) => [
  'model: {path: src/demo/model}',
  'limits: {maxLength: 128}',
  'stream: {brokers: ["127.0.0.1:1"], topic: votes, connectTimeout: 1s}',
  `checkpoint: {dir: ${directory}/checkpoints}`,
]

const byName = (checks: unknown) => new Map((checks as Check[]).map((check) => [check.name, check]))

test('passes a configuration with which the daemon would start, and makes nothing', async () => {
  const directory = scratchDirectory()
  const ended = await bcod('check', '--config', configuration(COMPLETE(directory)), '--json')
  expect(ended.code, ended.stdout).toBe(0)
  const { ok, checks } = documentOf(ended)
  expect(ok).toBe(true)
  expect((checks as Check[]).map(({ name, status }) => [name, status])).toEqual([
    ...['config', 'model', 'weights', 'tokenizer', 'chat template', 'gate', 'checkpoints', 'disk'].map((name) => [
      name,
      'ok',
    ]),
  ])
  expect(byName(checks).get('checkpoints')!.detail).toContain('to be made')
})

test('remarks on what lets secrets out or strangers in, and does not fail for it', async () => {
  const lines = [...COMPLETE(scratchDirectory()), 'server: {host: 0.0.0.0, adminToken: correct horse battery}']
  const ended = await bcod('check', '--config', configuration(lines), '--json')
  expect(ended.code).toBe(0)
  const checks = documentOf(ended).checks as Check[]
  expect(checks.filter(({ status }) => status === 'warn').map(({ name }) => name)).toEqual([
    ...['port', 'admin token', 'file modes'],
  ])
  expect(ended.stdout).not.toContain('correct horse')
})

test('names what is missing for the daemon', async () => {
  const ended = await bcod('check', '--config', configuration(['seed: 1']), '--json')
  expect(ended.code).toBe(1)
  const config = byName(documentOf(ended).checks).get('config')!
  expect(config).toMatchObject({ status: 'fail', remedy: expect.stringContaining('--set') })
  for (const key of ['model.path', 'stream.brokers', 'stream.topic', 'checkpoint.dir'])
    expect(config.detail).toContain(key)
})

test('holds the adapter to start from against the model and the settings of the LoRA', async () => {
  const directory = scratchDirectory()
  const file = configuration([
    ...COMPLETE(directory).slice(1),
    'model: {path: tests/golden/tiny_llama}',
    'lora: {init: tests/golden/tiny_adapter, r: 4}',
  ])
  const wrong = byName(documentOf(await bcod('check', '--config', file, '--json')).checks)
  expect(wrong.get('adapter')).toMatchObject({ status: 'fail', detail: expect.stringContaining('ADAPTER_MISMATCH') })
  expect(wrong.get('tokenizer')!.status).toBe('warn')
  const right = byName(documentOf(await bcod('check', '--config', file, '--set', 'lora.alpha=8', '--json')).checks)
  expect(right.get('adapter')!.status).toBe('ok')
  // training starts from it and is measured from the bare base
  expect(right.get('reference')).toMatchObject({ status: 'warn', remedy: expect.stringContaining('model.reference') })
  expect(right.get('rank')).toMatchObject({ status: 'warn', remedy: expect.stringContaining('--max-lora-rank 8') })
})

test('reads the files of the gate: a bad row of a probe is named', async () => {
  const directory = scratchDirectory()
  const probe = join(directory, 'tone.jsonl')
  writeFileSync(probe, '{"prompt": "a", "chosen": "b", "rejected": "c"}\n{"prompt": "a", "chosen": "b"}\n')
  const lines = [...COMPLETE(directory), `gate: {probes: ["${probe}"]}`]
  const ended = await bcod('check', '--config', configuration(lines), '--json')
  expect(ended.code).toBe(1)
  const { status, detail } = byName(documentOf(ended).checks).get('gate')!
  expect([status, detail]).toEqual(['fail', expect.stringContaining(`PAIRS_INVALID ${probe}:2 rejected`)])
})

test('looks at every weight: damaged ones fail, a single token is a warning', async () => {
  const directory = scratchDirectory()
  const lines = (model: string) => [...COMPLETE(directory).slice(1), `model: {path: ${model}}`]
  const found = async (model: string, ...set: string[]) => {
    const ended = await bcod('check', '--config', configuration(lines(model)), '--json', ...set)
    return byName(documentOf(ended).checks)
  }
  const oneToken = spoiltModel(join(directory, 'one'), 150, Number.NaN)
  expect((await found(oneToken)).get('weights')).toMatchObject({
    status: 'warn',
    detail: 'model.embed_tokens.weight holds NaN or infinity for token 150',
  })
  // a tied embedding is the output layer too
  const tied = join(directory, 'tied')
  cpSync(oneToken, tied, { recursive: true })
  const config = JSON.parse(readFileSync(join(tied, 'config.json'), 'utf8'))
  writeFileSync(join(tied, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: true }))
  const both = await found(tied, '--set', 'lora.r=24')
  expect(both.get('model')).toMatchObject({
    status: 'warn',
    detail: expect.stringContaining('lm_head.weight is another'),
  })
  expect(both.get('rank')).toMatchObject({ status: 'warn', remedy: expect.stringContaining('--max-lora-rank 32') })
})

test('--online fails without a broker and says so in a table', async () => {
  const directory = scratchDirectory()
  const ended = await bcod('check', '--config', configuration(COMPLETE(directory)), '--online')
  expect(ended.code).toBe(1)
  expect(ended.stdout).toMatch(/^fail {2}kafka +KAFKA_UNREACHABLE 127\.0\.0\.1:1: /m)
  expect(ended.stdout).toMatch(/^ok {4}config /m)
  expect(ended.stdout).toMatch(/^\w+ +gpu /m)
})

test('--online looks for topic and dead-letter topic on a real broker, and makes neither', async () => {
  const broker = await startBroker()
  try {
    const brokers = [broker.bootstrap]
    const file = configuration(COMPLETE(scratchDirectory()))
    const online = async () => {
      const set = ['--set', `stream.brokers=${JSON.stringify(brokers)}`, '--set', 'stream.connectTimeout=10s']
      return byName(documentOf(await bcod('check', '--config', file, ...set, '--online', '--json')).checks)
    }
    const before = await online()
    expect(before.get('kafka')!.status).toBe('ok')
    expect(before.get('topic')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('KAFKA_TOPIC_MISSING'),
    })
    expect(before.get('dead letters')!.status).toBe('warn')
    await ensureTopic({ brokers }, { topic: 'votes' })
    const between = await online()
    expect(between.get('times')).toMatchObject({ status: 'warn', remedy: expect.stringContaining('LogAppendTime') })
    expect([between.get('topic')!.status, between.get('dead letters')!.status]).toEqual(['ok', 'warn'])
    await ensureTopic({ brokers }, { topic: 'votes.dlq' })
    const client = await OtherClient.connect(broker.bootstrap)
    const configEntries = [{ name: 'message.timestamp.type', value: 'LogAppendTime' }]
    const topic = { type: kafkajs.ConfigResourceTypes.TOPIC, name: 'votes', configEntries }
    await client.admin.alterConfigs({ validateOnly: false, resources: [topic] })
    await client.close()
    const after = await online()
    expect([after.get('dead letters')!.status, after.get('times')!.status]).toEqual(['ok', 'ok'])
  } finally {
    await broker.stop()
  }
})

test.each([
  [
    'a chat template that never ends',
    'chat template',
    {
      'chat_template.jinja': '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}',
    },
  ],
  ['a pattern of the tokenizer that never ends', 'tokenizer', {}],
])('%s ends with its code, within the time that a vote has', async (what, finding, files: object) => {
  const model = scratchDirectory()
  cpSync('src/demo/model', model, { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(model, name), text)
  if (finding === 'tokenizer') {
    const file = JSON.parse(readFileSync(join(model, 'tokenizer.json'), 'utf8'))
    file.pre_tokenizer = { type: 'Split', pattern: { Regex: '(\\w+\\s?)+$' }, behavior: 'Isolated', invert: false }
    writeFileSync(join(model, 'tokenizer.json'), JSON.stringify(file))
  }
  const set = ['--set', `model.path=${model}`, '--set', 'limits.tokeniseTimeout=1s']
  const ended = await bcod('check', '--config', configuration(COMPLETE(scratchDirectory())), ...set, '--json')
  expect(ended.code, what).toBe(1)
  const checks = byName(documentOf(ended).checks)
  expect(checks.get(finding)).toMatchObject({
    status: 'fail',
    detail: expect.stringMatching(/^TEXT_TIMEOUT: not done within 1 s$/),
  })
  // whose pairs would all wait as long
  expect(checks.has('gate')).toBe(false)
})

test.each([
  [
    'refuses a greeting',
    "{{ raise_exception('no') }}",
    'it fails on a greeting (the template refused the messages: no)',
  ],
  [
    'rewrites the prompt under an answer',
    '{{ messages | length }}',
    'it fails on the answer to a greeting, given as a message (the template writes the prompt otherwise once a completion follows)',
  ],
])('a chat template that %s is remarked on, for votes may bring text', async (what, template, detail) => {
  const model = scratchDirectory()
  cpSync('src/demo/model', model, { recursive: true })
  writeFileSync(join(model, 'chat_template.jinja'), template)
  const set = ['--set', `model.path=${model}`]
  const ended = await bcod('check', '--config', configuration(COMPLETE(scratchDirectory())), ...set, '--json')
  expect(ended.code, what).toBe(0)
  expect(byName(documentOf(ended).checks).get('chat template')).toMatchObject({ status: 'warn', detail })
})
