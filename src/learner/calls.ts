import { liveTensors, usesGpu } from '../engine/index.js'
import type { Learner } from './learner.js'
import type { LearnerCalls } from './protocol.js'

/** What a learner answers to those who reach it by name: through the worker thread, or in process. */
export function learnerCalls(learner: Learner): LearnerCalls {
  return {
    trainStep(events) {
      const started = performance.now()
      const outcome = learner.trainStep(events)
      return { ...outcome, durationMs: performance.now() - started }
    },
    generate: (prompts, options) => learner.generate(prompts, options),
    snapshot: () => ({ step: learner.step, delta: learner.delta, adapter: learner.adapter(), state: learner.state() }),
    restore: ({ adapter, state }) => learner.restore(adapter, state),
    resume: ({ adapter, state }, at) => ({
      ...learner.resume(adapter, state, at),
      delta: learner.delta,
      adapterSha256: learner.adapterSha256(),
    }),
    reopen(workers) {
      learner.reopen(workers)
      return learner.placeUse
    },
    logpsUnder: (adapter, pairs) => learner.logpsUnder(adapter, pairs),
    divergences: (adapter, other, pairs) => learner.divergences(adapter, other, pairs),
    answersUnder: (adapter, prompts, options) => learner.answersUnder(adapter, prompts, options),
    weightNorms: (modules) => learner.weightNorms(modules),
    device: () => ({
      tensors: liveTensors(),
      memoryBytes: usesGpu() ? null : process.memoryUsage.rss(),
      places: learner.placeUse,
    }),
  }
}
