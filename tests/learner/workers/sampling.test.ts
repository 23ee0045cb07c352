import { afterEach, expect, test, vi } from 'vitest'
import { Session } from '../../../src/engine/index.js'
import type { Learner } from '../../../src/learner/learner.js'
import { type StartedWorker, startWorkers } from '../../support/started-workers.js'
import { cases, thorough } from '../../support/thorough.js'
import { ledLearner, stepEvents } from './led-learner.js'

afterEach(() => vi.restoreAllMocks())

const options = { decoder: { rows: 2, length: 48 }, given: { divergence: false, answerRows: 2 } }
const sampling = { maxTokens: 24, temperature: 1, seed: 7, eosIds: new Set<number>() }
/** Four groups. */
const PROMPTS = Array.from({ length: 7 }, (_, i) => Array.from({ length: 1 + 2 * i }, (_, k) => 3 + i * 11 + k * 5))

/** Answers of the adapter that learns, after a step, and of the base. */
function answersOf(learner: Learner) {
  learner.trainStep(stepEvents(0))
  return { own: learner.generate(PROMPTS, sampling), base: learner.answersUnder(null, PROMPTS, sampling) }
}

/** Those of one process. */
function answersOfOne() {
  const { learner } = ledLearner([], options)
  const answers = answersOf(learner)
  learner.dispose()
  return answers
}

test('a leader and two workers sample token for token what one process samples', async () => {
  const workers = await startWorkers(2)
  const led = ledLearner(
    workers.map(({ address }) => address),
    options,
  )
  const start = vi.spyOn(Session.prototype, 'start')
  expect(answersOf(led.learner)).toEqual(answersOfOne())
  for (const decoder of ['decode', 'decode_given']) {
    const places = start.mock.calls.filter(([name]) => name === decoder).map(([, , place]) => place)
    expect([...new Set(places)].sort()).toEqual([0, 1, 2])
  }
  expect(led.dropped).toEqual([])
  led.learner.dispose()
})

const FAULTS = [
  { name: 'killed', signal: 'SIGKILL', code: 'WORKER_LOST' },
  { name: 'suspended', signal: 'SIGSTOP', code: 'WORKER_TIMEOUT' },
] as const

test.each(cases(FAULTS, FAULTS.slice(0, 1)))(
  'what a worker that is $name was sampling is sampled again, token for token',
  async ({ signal, code }) => {
    const workers = await startWorkers(2)
    const addresses = workers.map(({ address }) => address)
    const led = ledLearner(addresses, { ...options, set: ['leader.operationTimeout=45s'] })
    const { start } = Session.prototype
    let runs = 0
    vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, name, inputs, place) {
      if (name === 'decode' && place === 1 && ++runs === 4) process.kill(workers[0]!.server.pid!, signal)
      return start.call(this, name, inputs, place)
    })
    const answers = answersOf(led.learner)
    vi.restoreAllMocks()
    expect(led.dropped).toEqual([{ place: 1, code, at: addresses[0] }])
    expect(answers).toEqual(answersOfOne())
    process.kill(workers[0]!.server.pid!, 'SIGCONT')
    led.learner.dispose()
  },
)

test.runIf(thorough)('layers at two processes sample token for token what they do at one', async () => {
  const [worker] = (await startWorkers(1)) as [StartedWorker]
  const place = ['CPU:0', `${worker.address}/CPU:0`]
  const set = ['model.stages=2', `devices=${JSON.stringify([...place, ...place])}`]
  const led = ledLearner([worker.address], { ...options, set })
  expect(answersOf(led.learner)).toEqual(answersOfOne())
  expect(led.dropped).toEqual([])
  led.learner.dispose()
})
