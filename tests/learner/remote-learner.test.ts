import { execFileSync, type StdioOptions } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import { loadConfig } from '../../src/config/config.js'
import { RemoteLearner, type RemoteLearnerEvents } from '../../src/learner/remote-learner.js'
import { trainingEvent } from '../support/events.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-remote-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const setup = (...set: string[]) => {
  const base = ['model.path=tests/golden/tiny_llama', 'lora.r=4', 'limits.maxLength=64', 'batch.tokens=64']
  return { config: loadConfig({ env: {}, set: [...base, ...set] }), decoder: null }
}

async function start(events: RemoteLearnerEvents = {}, ...set: string[]): Promise<RemoteLearner> {
  const learner = await RemoteLearner.start(setup(...set), events)
  onTestFinished(() => learner.close())
  return learner
}

const events = (count: number, length = 6) =>
  Array.from({ length: count }, (_, i) => {
    const tokens = (from: number) => Array.from({ length }, (_, k) => 3 + ((i * 13 + from + k) % 250))
    return trainingEvent(i, { promptTokens: tokens(0), completionTokens: tokens(40), label: i % 2 === 0 })
  })

test('says what it is, answers in order, and gives the state back that it was given', async () => {
  const learner = await start()
  expect(learner.info).toMatchObject({ maxLength: 64, vocabSize: 256, resolved: { executor: 'graph', dtype: 'f32' } })
  const [first, snapshot, second] = await Promise.all([
    learner.call('trainStep', events(8)),
    learner.call('snapshot'),
    learner.call('trainStep', events(8)),
  ])
  expect([first.applied?.step, snapshot.step, second.applied?.step]).toEqual([1, 1, 2])
  expect(adapterSha256(snapshot.adapter.tensors)).toBe(first.applied?.adapterSha256)

  // one learner at a time: TensorFlow's addon holds one backend for the process
  await learner.close()
  const other = await start()
  await other.call('restore', snapshot)
  const { applied, quarantined } = await other.call('trainStep', events(8))
  expect({ applied, quarantined }).toEqual({ applied: second.applied, quarantined: [] })
})

test('an error in the thread arrives with its code, place and remedy, and the next call is answered', async () => {
  const learner = await start()
  const { adapter } = await learner.call('snapshot')
  await expect(learner.call('restore', { adapter, state: new Map() })).rejects.toMatchObject({
    name: 'BcodError',
    code: 'CHECKPOINT_DAMAGED',
    place: 'trainer_state.safetensors',
    remedy: expect.stringContaining('--accept-older'),
  })
  await expect(
    learner.call('generate', [[1]], { maxTokens: 1, temperature: 0, seed: 0, eosIds: new Set<number>() }),
  ).rejects.toMatchObject({
    code: 'INTERNAL',
    message: 'this learner was made without a decoder',
  })
  expect((await learner.call('trainStep', events(2))).applied?.step).toBe(1)
})

test('a model that cannot be loaded is the error that a learner at hand would give, and leaves no thread', () => {
  const model = join(directory, 'headless')
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  rmSync(join(model, 'model.safetensors'))
  // in a process of its own, which ends only when no thread holds it
  const program = join(directory, 'program.mjs')
  writeFileSync(
    program,
    `const { RemoteLearner } = await import('${resolve('dist/learner/remote-learner.js')}')
    const { loadConfig } = await import('${resolve('dist/config/config.js')}')
    const config = loadConfig({ env: {}, set: ['model.path=${model}'] })
    await RemoteLearner.start({ config, decoder: null }).catch(({ code, place }) =>
      console.log(JSON.stringify({ code, place })))`,
  )
  const stdio: StdioOptions = ['ignore', 'pipe', 'ignore']
  const said = execFileSync(process.execPath, [program], { encoding: 'utf8', timeout: 30_000, stdio })
  expect(JSON.parse(said)).toEqual({ code: 'MODEL_FILE_MISSING', place: expect.stringContaining(model) })
})

test('closing while a call runs rejects it and every later one', async () => {
  const learner = await RemoteLearner.start(setup())
  const running = learner.call('trainStep', events(8))
  const waiting = learner.call('snapshot')
  const outcomes = Promise.allSettled([running, waiting])
  await learner.close()
  for (const outcome of await outcomes)
    expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'LEARNER_GONE' } })
  await expect(learner.call('snapshot')).rejects.toMatchObject({ code: 'LEARNER_GONE' })
  expect(learner.busyMs).toBe(0)
})

test('while a step is compiled and runs, this thread goes on', async () => {
  const compiled: string[] = []
  const learner = await start({ compiled: (program) => compiled.push(program) }, 'model.executor=xla')
  let [ticks, longest, last, busy] = [0, 0, performance.now(), 0]
  const timer = setInterval(() => {
    ticks++
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
    busy = Math.max(busy, learner.busyMs)
  }, 5)
  const started = performance.now()
  await learner.call('trainStep', events(8, 24))
  const took = performance.now() - started
  clearInterval(timer)
  expect(compiled.length).toBeGreaterThan(0)
  expect(took).toBeGreaterThan(500)
  expect(longest).toBeLessThan(took / 4)
  expect(ticks).toBeGreaterThan(took / 5 / 10)
  expect(busy).toBeGreaterThan(took / 2)
  expect(learner.busyMs).toBe(0)
})
