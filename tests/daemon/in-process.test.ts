import { expect, test } from 'vitest'
import { startLocalLearner } from '../support/local-learner.js'
import { trainedIds, voteIds } from './feedback.js'
import { place, records } from './in-process.js'

test('with the learner itself: votes become steps, checkpoints and a live adapter, and the next daemon continues there', async () => {
  const { start, journal, live } = place()
  const first = start(undefined, { startLearner: startLocalLearner })
  await first.until(({ state }) => state === 'running')
  first.log.append(records(0, 8))
  await first.until(({ adapter }) => adapter === 'v00000002')
  expect(first.log.committed).toBe(8)
  await first.stop()

  const second = start(undefined, { startLearner: startLocalLearner })
  await second.until(({ state, adapter }) => state === 'running' && adapter === 'v00000002')
  second.log.append(records(8, 4))
  const status = await second.until(({ adapter }) => adapter === 'v00000003')
  expect(status.delta).not.toBeNull()
  await second.stop()
  expect(live()).toBe('v00000003')
  expect(journal().map(({ step }) => step)).toEqual([1, 2, 3])
  expect(trainedIds(journal())).toEqual(voteIds(0, 12))
  expect(new Set(journal().map(({ adapter_sha256 }) => adapter_sha256)).size).toBe(3)
}, 180_000)
