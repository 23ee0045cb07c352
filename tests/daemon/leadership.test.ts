import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { waitForLeadership } from '../../src/daemon/leadership.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { ManualScheduler } from '../support/manual-scheduler.js'

/** A candidate for a group that answers with these numbers of members, one after the other. */
function candidate(answers: (number | Promise<number>)[], directory = temporaryDirectory()) {
  const scheduler = new ManualScheduler(0)
  const stop = new AbortController()
  const calls: string[] = []
  const result = waitForLeadership({
    ...{ directory, scheduler, everyMs: 1_000, stop: stop.signal },
    log: {
      async members() {
        calls.push('asked')
        return answers.shift() ?? 0
      },
    },
    asking: () => calls.push('asking'),
    standby: (members) => calls.push(`standby beside ${members}`),
  })
  return { scheduler, stop, calls, result }
}

const settle = () => sleep(1)

test('an empty group is led at once', async () => {
  const { calls, result } = candidate([0])
  expect(await result).toBe(true)
  expect(calls).toEqual(['asking', 'asked'])
})

test('a group with members is asked again after the interval, and is reported once', async () => {
  const { scheduler, calls, result } = candidate([2, 1, 0])
  await settle()
  expect(calls).toEqual(['asking', 'asked', 'standby beside 2'])
  scheduler.advance(999)
  await settle()
  expect(calls).toHaveLength(3)
  scheduler.advance(1)
  await settle()
  scheduler.advance(1_000)
  expect(await result).toBe(true)
  expect(calls).toEqual(['asking', 'asked', 'standby beside 2', 'asked', 'asked'])
})

test('a stop ends the wait between two looks, during one, and before the first', async () => {
  const waiting = candidate([1])
  await settle()
  waiting.stop.abort()
  expect(await waiting.result).toBe(false)

  const asking = candidate([new Promise<number>(() => undefined)])
  await settle()
  asking.stop.abort()
  expect(await asking.result).toBe(false)
})

test('a writer whose process has ended on this host is not waited for', async () => {
  const directory = temporaryDirectory()
  // the fence names this very process, which is then the restarted one
  takeFence(directory)
  const { calls, result } = candidate([1], directory)
  expect(await result).toBe(true)
  expect(calls).toEqual([])
})

test('a log that cannot be asked is an error', async () => {
  const { result } = candidate([Promise.reject(new Error('no broker'))])
  await expect(result).rejects.toThrow('no broker')
})
