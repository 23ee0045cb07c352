import { describe, expect, it } from 'vitest'
import { differenceOf, type WorkerIdentity, workerJob } from '../../../src/engine/cluster/worker-name.js'

const leader: WorkerIdentity = { version: '0.1.0', tensorflow: '2.21.0', model: 'a'.repeat(64) }

describe('a worker’s name', () => {
  it('is one that TensorFlow takes, also of a version before a release', () => {
    const name = workerJob({ version: '1.0.0-rc.1', tensorflow: '2.21.0', model: '0'.repeat(64) })
    expect(name).toBe(`bcod_1_0_0_rc_1_tensorflow_2_21_0_model_${'0'.repeat(16)}`)
  })

  it.each<[what: string, worker: Partial<WorkerIdentity>, difference: RegExp | null]>([
    ['is the same', {}, null],
    ['has no model of its own', { model: null }, null],
    ['has another version', { version: '0.1.1' }, /^is bcod 0\.1\.1, the leader is 0\.1\.0$/],
    ['has another TensorFlow', { tensorflow: '2.20.0' }, /^has TensorFlow 2\.20\.0, the leader has 2\.21\.0$/],
    ['has another model', { model: 'b'.repeat(64) }, /^has model b{16}, the leader has a{16}$/],
  ])('says whether it %s', (_, worker, difference) => {
    const said = differenceOf(workerJob({ ...leader, ...worker }), leader)
    if (difference === null) expect(said).toBeNull()
    else expect(said).toMatch(difference)
  })

  it('is not that of another server', () => {
    for (const job of ['', 'localhost', 'bcod_leader', 'bcod__tensorflow_'])
      expect(differenceOf(job, leader), job).toMatch(/no worker of bcod$/)
  })
})
