import type { Config } from '../config/config.js'
import type { TrainingEvent } from '../events/types.js'
import { Batcher } from '../streams/batcher.js'

/**
 * Groups events into steps of `batch.size`; the last may be smaller. In order of arrival, or, with `batch.stratify`,
 * both classes mixed out of the `stream.pendingEvents` that wait, as in a daemon that has a backlog to work off.
 */
export async function* batches(
  events: AsyncIterable<TrainingEvent>,
  { batch, stream }: Pick<Config, 'batch' | 'stream'>,
): AsyncGenerator<readonly TrainingEvent[]> {
  const { size, stratify, lookAhead } = batch
  const batcher = new Batcher({ size, stratify, lookAhead, maxLatency: 0 })
  const room = stratify ? Math.max(size, stream.pendingEvents) : size
  function* next(): Generator<readonly TrainingEvent[]> {
    const taken = batcher.takeRest(0)
    if (taken === null) return
    yield taken
    batcher.acknowledge(taken)
  }
  for await (const event of events) {
    batcher.push(event, 0)
    if (batcher.waiting >= room) yield* next()
  }
  while (batcher.waiting > 0) yield* next()
}
