import { expect, test } from 'vitest'
import { type StartedWorker, startWorkers } from '../../support/started-workers.js'
import { thorough } from '../../support/thorough.js'
import { startServer } from '../../support/worker-process.js'
import { learnt, ledLearner, stepEvents } from './led-learner.js'

/** Half of the layers at this process and half at a worker, and two packed batches under way. */
const inStages = ({ address }: StartedWorker) => {
  const place = ['CPU:0', `${address}/CPU:0`]
  return ['model.stages=2', `devices=${JSON.stringify([...place, ...place])}`]
}

test.runIf(thorough)('layers at two processes learn bit by bit what they learn at one', async () => {
  const alone = learnt([])
  const [worker] = (await startWorkers(1)) as [StartedWorker]
  expect(learnt([worker.address], inStages(worker))).toMatchObject({ result: alone.result, dropped: [] })
})

test.runIf(thorough)('a step that loses its layers fails with their place; the state before it goes on', async () => {
  const [worker] = (await startWorkers(1)) as [StartedWorker]
  const open = () => ledLearner([worker.address], { set: inStages(worker) }).learner
  const [alone, led] = [ledLearner([]).learner, open()]
  for (const each of [alone, led]) each.trainStep(stepEvents(0))
  const [adapter, state] = [led.adapter(), led.state()]

  process.kill(worker.server.pid as number, 'SIGKILL')
  expect(() => led.trainStep(stepEvents(1))).toThrow(
    expect.objectContaining({ code: 'WORKER_LOST', place: worker.address }),
  )
  led.dispose()

  await worker.server.stop()
  await startServer(worker.port)
  const next = open()
  next.restore(adapter, state)
  expect(next.trainStep(stepEvents(1)).applied).toEqual(alone.trainStep(stepEvents(1)).applied)
  expect(next.state()).toEqual(alone.state())
  for (const each of [alone, next]) each.dispose()
})
