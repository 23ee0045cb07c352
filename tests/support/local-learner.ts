import type { DaemonOptions } from '../../src/daemon/options.js'
import { learnerCalls } from '../../src/learner/calls.js'
import { Learner } from '../../src/learner/learner.js'
import type { CallName, LearnerCalls } from '../../src/learner/protocol.js'

/** The learner itself, in this thread, behind the interface of the one in a thread of its own. */
export const startLocalLearner: NonNullable<DaemonOptions['startLearner']> = async ({
  config,
  decoder,
  given = null,
  workers = [],
}) => {
  const learner = new Learner(config, { decoder, given, workers })
  const calls = learnerCalls(learner)
  const { maxLength, vocabSize, resolved, notes, placeUse: places } = learner
  const call = async <N extends CallName>(name: N, ...args: Parameters<LearnerCalls[N]>) =>
    (calls[name] as (...args: Parameters<LearnerCalls[N]>) => ReturnType<LearnerCalls[N]>)(...args)
  return {
    info: { maxLength, vocabSize, resolved, notes, places },
    busyMs: 0,
    call,
    close: async () => learner.dispose(),
  }
}
