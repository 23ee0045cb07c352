import { learnerCalls } from '../learner/calls.js'
import type { Learner } from '../learner/learner.js'
import type { LearnerCall } from './learner-model.js'

/** The calls of a learner in this thread. */
export function callsIn(learner: Learner): LearnerCall {
  const calls = learnerCalls(learner)
  return (name, ...args) => {
    const call = calls[name] as (...given: typeof args) => ReturnType<(typeof calls)[typeof name]>
    return call(...args)
  }
}
