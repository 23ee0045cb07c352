import type { DaemonLearner } from '../../src/daemon/options.js'
import { startCountingLearner } from '../support/counting-learner.js'
import { RecordedVllm } from '../support/recorded-vllm.js'
import { place, records } from './in-process.js'

/** log π of a token, as the adapter of a step moves it. */
const computed = (step: number, id: number) => -1 - (id % 3) + (id % 2 === 0 ? step / 50 : -step / 50)

const startServer = () =>
  RecordedVllm.start({
    logp: (model, id) => computed(model === null ? 0 : Number(model.slice(-8)), id),
  })

/** The counting learner, which computes what the servers compute. */
async function startLearner(): Promise<DaemonLearner> {
  const learner = await startCountingLearner()
  const call = (name: string, ...args: readonly unknown[]) => {
    if (name !== 'logpsUnder') return (learner.call as (...all: unknown[]) => unknown)(name, ...args)
    const [adapter, pairs] = args as [
      { readonly tensors: ReadonlyMap<string, { readonly data: Float32Array }> } | null,
      readonly { readonly completionTokens: readonly number[] }[],
    ]
    // the sample adapter of a step begins with it
    const step = adapter === null ? 0 : ([...adapter.tensors.values()][0]?.data[0] ?? 0)
    return Promise.resolve(pairs.map(({ completionTokens }) => computed(step, completionTokens[0] ?? 0)))
  }
  return { ...learner, call: call as DaemonLearner['call'] }
}

/** A daemon under way with two servers to publish to. */
export async function served(settings: Readonly<Record<string, unknown>> = {}) {
  const servers = [await startServer(), await startServer()] as const
  const daemons = place({
    'publish.targets': [{ kind: 'vllm', urls: servers.map(({ url }) => url) }],
    'publish.timeout': '2s',
    ...settings,
  })
  const first = daemons.start(undefined, { startLearner })
  await first.until(({ state }) => state === 'running')
  const vote = async (from: number) => first.log.append(records(from, 4))
  /** Versions 1 to `count` have been live, one after the other. */
  const liveUpTo = async (count: number) => {
    for (let step = 1; step <= count; step++) {
      await vote(4 * step)
      await first.until(({ adapter }) => adapter === `v0000000${step}`)
    }
  }
  const names = () => servers.map(({ adapters }) => [...adapters.keys()])
  return { ...daemons, ...first, servers, vote, liveUpTo, names }
}
