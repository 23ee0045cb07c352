import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { seenPrompts } from '../../src/demo/world/world.js'
import { PAGE, portsOf, stepsOf } from './page.js'

const read = (path: string) => readFileSync(path, 'utf8')
const text = read(PAGE)
const steps = stepsOf()
const secret = 'x'.repeat(32)
const daemon = requireFor(loadConfig({ file: 'examples/chat/bcod.yaml', env: {} }), 'run')
const gateway = requireFor(
  loadConfig({
    file: 'examples/chat/gateway.yaml',
    env: { BCOD_GATEWAY_VOTE_KEY: secret, BCOD_GATEWAY_USER_SALT: secret },
  }),
  'gateway',
)

/** `make tutorial-test` runs what this file only reads. */
describe(PAGE, () => {
  test('has commands, words that they print, questions, the same questions again, and an end', () => {
    const kinds = ['commands', 'printed', 'questions', 'again', 'interrupted']
    expect(new Set(steps.map(({ kind }) => kind))).toEqual(new Set(kinds))
    const open = steps.flatMap((step) => (step.kind === 'commands' && step.staysOpen ? [step.terminal] : []))
    const ended = steps.flatMap((step) => (step.kind === 'interrupted' ? step.terminals : []))
    expect(open).toEqual([1, 2, 3, 4])
    expect(ended).toEqual([4, 3, 2, 1])
    for (const step of steps) if (step.kind === 'again') expect(step.questions).toHaveLength(4)
  })

  test('names files that are there', () => {
    const files = text.match(/\b(?:examples|scripts)\/[\w/-]+\.\w+/g) ?? []
    expect(files.length).toBeGreaterThan(6)
    for (const file of files) expect(existsSync(file), file).toBe(true)
  })

  test('shows lines of the chat page as they are in it', () => {
    const excerpts = [...text.matchAll(/^```python\n([\s\S]*?)^```/gm)].map((match) => match[1]!)
    expect(excerpts).toHaveLength(3)
    for (const excerpt of excerpts) expect(read('examples/chat/page.py')).toContain(excerpt)
  })

  test('asks what the model was made for', () => {
    const asked = steps.flatMap((step) => ('questions' in step ? step.questions : []))
    for (const question of asked) expect(seenPrompts.map(({ text }) => text)).toContain(question)
  })

  test('has votes enough for the steps and the version that it promises', () => {
    const [, count] = /colleagues\.py (\d+)/.exec(text)!
    const trained = (Number(count) + 4) / daemon.batch.size
    expect(text).toContain(`step ${trained}`)
    expect(text).toContain(`v${String(trained).padStart(8, '0')}`)
    expect(trained % daemon.checkpoint.everySteps).toBe(0)
    expect(text).toContain(`A step trains ${daemon.batch.size} votes, and each ${daemon.checkpoint.everySteps} steps`)
  })

  test('has the addresses of its configuration', () => {
    const { urls } = daemon.publish.targets[0]!
    expect(gateway.gateway.upstreams).toEqual(urls)
    expect(gateway.stream).toMatchObject({ brokers: daemon.stream.brokers, topic: daemon.stream.topic })
    expect(gateway.gateway.routing).toBe(`http://127.0.0.1:${daemon.server.port}/routing`)
    for (const page of ['page.py', 'colleagues.py'])
      expect(portsOf(read(`examples/chat/${page}`))).toEqual([gateway.gateway.port])
    const streamlit = 8501
    const own = [gateway.gateway.port, daemon.server.port, streamlit, ...portsOf(urls.join())].sort()
    expect(portsOf(text)).toEqual(own)
  })
})
