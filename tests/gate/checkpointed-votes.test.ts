import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { checkpointedVotes } from '../../src/gate/checkpointed-votes.js'
import { HeldOutVotes } from '../../src/streams/held-out-votes.js'
import { sampleSnapshot } from '../support/checkpoints.js'
import { trainingEvent } from '../support/events.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-votes-'))
afterAll(() => rmSync(directory, { recursive: true }))

const settings = { holdOutKeep: 10, holdOutAge: 60_000 }
const read = () => checkpointedVotes(directory, settings, 8)

test('without a checkpoint, and in one that has no held-out votes, there are none', async () => {
  expect(await read()).toEqual([])
  takeFence(directory)
  await new CheckpointStore(directory).write(sampleSnapshot(1, { pending: { positions: {} } }))
  expect(await read()).toEqual([])
})

test('those of the newest checkpoint are read, but for what is too old or too long', async () => {
  const votes = new HeldOutVotes({ perLabel: 10, maxAge: 0 })
  const kept = (offset: number, timestamp: number, length: number) =>
    votes.push({
      ...trainingEvent(offset, { promptTokens: Array(length).fill(1), completionTokens: [offset] }),
      ...{ timestamp, subject: `c${offset}`, heldOut: 2 ** 52 + offset },
    })
  const now = Date.now()
  kept(1, now, 3)
  kept(2, now - 61_000, 3)
  kept(3, now, 8)
  await new CheckpointStore(directory).write(sampleSnapshot(2, { pending: { heldOut: votes.snapshot() } }))
  expect((await read()).map(({ completionTokens, conversation }) => [completionTokens, conversation])).toEqual([
    [[1], 2 ** 52 + 1],
  ])
})
