import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import type { StateTensor } from '../../src/checkpoint/snapshot.js'
import type { DaemonLearner } from '../../src/daemon/options.js'
import type { TrainingEvent } from '../../src/events/types.js'
import type { CallName, LearnerCalls } from '../../src/learner/protocol.js'
import { appliedStep } from './applied-step.js'
import { sampleAdapter } from './checkpoints.js'

/** A learner that learns nothing but counts its steps: each gives another adapter, and a checkpoint restores the count. */
export async function startCountingLearner(): Promise<DaemonLearner> {
  let step = 0
  /** The step that the adapter is from. */
  let learnt = 0
  const calls: LearnerCalls = {
    trainStep(events: readonly TrainingEvent[]) {
      step += 1
      learnt = step
      const applied = appliedStep(step, [...events.keys()])
      return { applied, quarantined: [], refused: [], blockLimit: null, beginnings: null, durationMs: 1 }
    },
    generate: (prompts) => prompts.map(() => []),
    snapshot() {
      const count: StateTensor = { dtype: 'i32', shape: [2], data: Int32Array.of(learnt, step) }
      return { step, delta: 0, adapter: sampleAdapter(learnt), state: new Map([['count', count]]) }
    },
    restore({ state }) {
      ;[learnt, step] = [...(state.get('count')?.data ?? [])] as [number, number]
      return { classifierKept: true }
    },
    resume({ state }, at) {
      learnt = Number(state.get('count')?.data[0])
      step = at
      return { classifierKept: true, delta: 0, adapterSha256: adapterSha256(sampleAdapter(learnt).tensors) }
    },
    logpsUnder: (_, pairs) => pairs.map(({ completionTokens }) => -completionTokens.length),
    divergences: (_, __, pairs) => pairs.map(() => 0),
    answersUnder: (_, prompts) => prompts.map(() => []),
    weightNorms: (modules) => modules.map(() => 1e3),
    reopen: () => [],
    device: () => ({ tensors: 0, memoryBytes: null, places: [] }),
  }
  return {
    info: {
      ...{ maxLength: 32, vocabSize: 300, notes: [], places: [] },
      resolved: {
        executor: 'graph',
        dtype: 'f32',
        threads: 1,
        interOpThreads: 1,
        kernels: 'onednn',
        layers: 'none',
        device: 'cpu',
      },
    },
    busyMs: 0,
    call: async <N extends CallName>(name: N, ...args: Parameters<LearnerCalls[N]>) =>
      (calls[name] as (...args: Parameters<LearnerCalls[N]>) => ReturnType<LearnerCalls[N]>)(...args),
    close: async () => undefined,
  }
}
