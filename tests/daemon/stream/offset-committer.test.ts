import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { OffsetCommitter } from '../../../src/daemon/stream/offset-committer.js'
import { ManualScheduler } from '../../support/manual-scheduler.js'
import { SilentTelemetry } from '../../support/silent-telemetry.js'

/** A committer to a broker that acknowledges each commit when it is told to. */
function committer() {
  const scheduler = new ManualScheduler(0)
  const telemetry = new SilentTelemetry()
  const sent: Record<number, number>[] = []
  const answers: { resolve: () => void; reject: (error: unknown) => void }[] = []
  const log = {
    topic: 'feedback',
    commit: (offsets: ReadonlyMap<number, number>) => {
      sent.push(Object.fromEntries(offsets))
      return new Promise<void>((resolve, reject) => answers.push({ resolve, reject }))
    },
  }
  const stages: string[] = []
  const made = new OffsetCommitter({
    ...{ log, telemetry, scheduler, limitMs: 3_000 },
    stage: (stage) => stages.push(stage),
  })
  return { committer: made, scheduler, telemetry, sent, answers, stages }
}

const settle = () => sleep(1)

test('commits what is allowed of the assigned partitions, each offset once', async () => {
  const { committer: made, sent, answers, stages, telemetry } = committer()
  made.allow(new Map([0, 1, 2].map((partition) => [partition, 10 + partition])))
  await made.commit()
  expect(sent).toEqual([])
  made.assigned([0, 2])
  const first = made.commit()
  answers[0]?.resolve()
  await first
  await made.commit()
  expect(sent).toEqual([{ 0: 10, 2: 12 }])
  made.allow(new Map(Object.entries({ 0: 11, 2: 12 }).map(([partition, offset]) => [Number(partition), offset])))
  const second = made.commit()
  answers[1]?.resolve()
  await second
  expect(sent).toEqual([{ 0: 10, 2: 12 }, { 0: 11 }])
  expect(stages).toEqual(['committing', 'committed', 'committing', 'committed'])
  expect(telemetry.names).toEqual(['OffsetsCommitted', 'OffsetsCommitted'])
})

test('what is allowed during a commit follows it; two commits never run at once', async () => {
  const { committer: made, sent, answers } = committer()
  made.assigned([0])
  made.allow(new Map([[0, 5]]))
  const first = made.commit()
  made.allow(new Map([[0, 6]]))
  const second = made.commit()
  await settle()
  expect(sent).toEqual([{ 0: 5 }])
  answers[0]?.resolve()
  await settle()
  expect(sent).toEqual([{ 0: 5 }, { 0: 6 }])
  answers[1]?.resolve()
  await Promise.all([first, second])
})

test('a broker that hangs holds up its caller for the limit, and the commit goes on', async () => {
  const { committer: made, scheduler, sent, answers } = committer()
  made.assigned([0])
  made.allow(new Map([[0, 5]]))
  let waited = false
  const first = made.commit().then(() => {
    waited = true
  })
  await settle()
  scheduler.advance(2_999)
  await settle()
  expect(waited).toBe(false)
  scheduler.advance(1)
  await first
  answers[0]?.resolve()
  await settle()
  await made.commit()
  expect(sent).toEqual([{ 0: 5 }])
})

test('a commit that fails is reported, and the next call tries again', async () => {
  const { committer: made, sent, answers, telemetry } = committer()
  made.assigned([0])
  made.allow(new Map([[0, 5]]))
  const first = made.commit()
  answers[0]?.reject(new Error('rebalancing'))
  await first
  expect(telemetry.names).toEqual(['Failed'])
  const second = made.commit()
  answers[1]?.resolve()
  await second
  expect(sent).toEqual([{ 0: 5 }, { 0: 5 }])
})

test('a new assignment commits everything again, also what an old commit acknowledges late', async () => {
  const { committer: made, sent, answers } = committer()
  made.assigned([0])
  made.allow(new Map([[0, 5]]))
  const first = made.commit()
  made.assigned([0])
  answers[0]?.resolve()
  await settle()
  expect(sent).toEqual([{ 0: 5 }, { 0: 5 }])
  answers[1]?.resolve()
  await first
})
