import { loadConfig } from '../../../src/config/config.js'
import type { BcodError } from '../../../src/errors.js'
import { Learner } from '../../../src/learner/learner.js'
import type { LearnerOptions } from '../../../src/learner/open-model.js'
import { trainingEvent } from '../../support/events.js'
import { freePorts } from '../../support/worker-process.js'

export const [leaderPort] = (await freePorts(1)) as [number]

/** Settings of a learner over these workers, in shapes that are compiled within the time of a test. */
export function ledConfig(workers: readonly string[], set: readonly string[] = []) {
  const devices = ['CPU:0', ...workers.map((worker) => `${worker}/CPU:0`)]
  return loadConfig({
    env: {},
    set: [
      ...['model.path=tests/golden/tiny_llama', 'model.executor=graph', 'lora.r=4'],
      ...['limits.maxLength=64', 'batch.tokens=64', 'batch.size=6', `devices=${JSON.stringify(devices)}`],
      ...['leader.address=127.0.0.1', `leader.port=${leaderPort}`, 'leader.operationTimeout=60s', ...set],
    ],
  })
}

/** Events of which each fills a packed batch. @param tokens  of a batch; four are left free */
export const stepEvents = (step: number, tokens = 64) =>
  Array.from({ length: 6 }, (_, i) => {
    const text = (from: number, count: number) =>
      Array.from({ length: count }, (_, k) => 3 + ((step * 31 + from * 13 + k * 7) % 250))
    return trainingEvent(6 * step + i, {
      promptTokens: text(i, tokens - 24),
      completionTokens: text(i + 40, 20),
      label: i % 3 === 0,
    })
  })

export interface Dropped {
  readonly place: number
  readonly code: BcodError['code']
  readonly at: string | undefined
}

/** A learner over workers, and what it has dropped. */
export function ledLearner(
  workers: readonly string[],
  options: LearnerOptions & { readonly set?: readonly string[] } = {},
) {
  const dropped: Dropped[] = []
  const { set, ...rest } = options
  const learner = new Learner(ledConfig(workers, set), {
    scoring: true,
    workers,
    onDropped: (place, { code, place: at }) => dropped.push({ place, code, at }),
    ...rest,
  })
  return { learner, dropped }
}

/** Steps and scores over workers: all that was computed. */
export function learnt(workers: readonly string[], set: readonly string[] = [], steps = 2) {
  const { learner, dropped } = ledLearner(workers, { set })
  const applied = Array.from({ length: steps }, (_, step) => learner.trainStep(stepEvents(step)).applied)
  const scores = learner.score(stepEvents(steps))
  const result = { applied, scores, adapter: learner.adapterSha256(), state: learner.state() }
  const linkBytes = learner.placeUse.map((place) => place.linkBytes)
  learner.dispose()
  return { result, dropped, linkBytes }
}
