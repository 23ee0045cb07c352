import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { targetOf } from '../../../src/engine/cluster/containers.js'
import { Leader } from '../../../src/engine/cluster/leader.js'
import { keepWeights } from '../../../src/engine/cluster/weights/keep-weights.js'
import { fedModel, keptModel } from '../../support/kept-model.js'
import { startWorkers } from '../../support/started-workers.js'
import { storeModel } from '../../support/stored-model.js'
import { freePorts } from '../../support/worker-process.js'

const scratch = mkdtempSync(join(tmpdir(), 'bcod-kept-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

let leader: Leader
beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  leader = Leader.serve({ address: '127.0.0.1', port, threads: 1, interOpThreads: 1, places: 3 })
})

const UNTIED = 'tests/golden/arch/llama3_scaled_untied'
/** Tied, with biases of some of the linear layers that are one. */
const TIED = 'tests/golden/arch/qwen2'

test.each([
  ['F32', 'f32', UNTIED],
  ['F32', 'bf16', TIED],
  ['BF16', 'f32', TIED],
  ['BF16', 'bf16', UNTIED],
  ['F16', 'f32', UNTIED],
  ['F16', 'bf16', TIED],
] as const)('what a worker reads of %s as %s is what is fed, bit by bit', async (type, dtype, config) => {
  const [worker] = await startWorkers(1)
  // a tied model may have its embedding under the name of its head
  const renamed = config === TIED ? { 'model.embed_tokens.weight': 'lm_head.weight' } : {}
  const directory = storeModel(join(scratch, `${type}-${dtype}`), config, type, renamed)
  const { session, names, loaded } = keptModel(leader, [worker!.address], directory, dtype)
  expect(loaded).toContain(worker!.address)
  const fed = fedModel(directory, dtype)
  for (const name of names) {
    const [expected] = fed.read(name)
    for (const place of [0, 1])
      expect(Buffer.compare(bytesOf(session.readAt(place, name)[0]!), bytesOf(expected!)), `${name} at ${place}`).toBe(
        0,
      )
  }
})

describe('weights that a worker has', () => {
  test('are not loaded again by the next session, and those of another kind take their place', async () => {
    const [worker] = await startWorkers(1)
    const directory = storeModel(join(scratch, 'kept'), UNTIED, 'BF16')
    const first = keptModel(leader, [worker!.address], directory, 'bf16')
    first.close()
    const second = keptModel(leader, [worker!.address], directory, 'bf16')
    expect(first.loaded).toContain(worker!.address)
    expect(second.loaded).toEqual([])
    expect(second.session.start('look', {}, 1)().sum![0]).toBe(0)
    second.close()
    const other = keptModel(leader, [worker!.address], directory, 'f32')
    other.close()
    expect(other.loaded).toContain(worker!.address)
    expect(keptModel(leader, [worker!.address], directory, 'bf16').loaded).toEqual([worker!.address])
  })

  test('by half are no weights', async () => {
    const [worker] = await startWorkers(1)
    const directory = storeModel(join(scratch, 'half'), TIED, 'F32')
    const { kept, files, close } = keptModel(leader, [], directory, 'f32')
    close()
    const devices = [{ device: '/device:CPU:0', variables: kept.slice(1) }]
    const servers = [{ worker: worker!.address, target: targetOf(worker!.address), devices }]
    expect(keepWeights({ files, servers, timeout: 60_000, onFailure: expect.unreachable })).toEqual([worker!.address])
    const whole = keptModel(leader, [worker!.address], directory, 'f32')
    expect(whole.loaded).toEqual([worker!.address])
    for (const name of whole.names) expect(whole.session.readAt(1, name)).toEqual(whole.session.read(name))
  })

  test('are those of the leader, or it is left out: other bytes, or no file', async () => {
    const workers = await startWorkers(2)
    const addresses = workers.map(({ address }) => address)
    const directory = storeModel(join(scratch, 'other'), UNTIED, 'F32')
    const file = join(directory, 'two.safetensors')
    const change = () => {
      const bytes = readFileSync(file)
      bytes[bytes.length >> 1]! ^= 1
      writeFileSync(file, bytes)
    }
    const failed = (message: RegExp) => [
      [addresses[0], expect.objectContaining({ code: 'WORKER_DIFFERS', place: addresses[0] })],
      [addresses[1], expect.objectContaining({ message: expect.stringMatching(message) })],
    ]
    keptModel(leader, [], directory, 'f32').close()
    const changed = keptModel(leader, addresses, directory, 'f32', change)
    expect(changed.failures).toEqual(failed(/two\.safetensors has other bytes there/))
    changed.close()
    change()
    const away = keptModel(leader, addresses, directory, 'f32', () => renameSync(file, `${file}.away`))
    expect(away.failures).toEqual(failed(/cannot load the model's files: .*two\.safetensors.*No such file/))
  })

  test('and the state of a session take the same memory after thirty sessions', async () => {
    const [worker] = await startWorkers(1)
    const directory = storeModel(join(scratch, 'flat'), TIED, 'BF16')
    const session = () => {
      const { session, close } = keptModel(leader, [worker!.address], directory, 'bf16')
      expect(session.start('look', {}, 1)().sum![0]).toBe(0)
      close()
      return anonymousMegabytes(worker!.server.pid!)
    }
    const sizes = Array.from({ length: 30 }, session)
    // each session's state is 4 MB
    expect(Math.max(...sizes.slice(20)) - Math.max(...sizes.slice(0, 10))).toBeLessThan(20)
  })
})

test('four leaders, each killed, find the weights of the first, and what they had written is freed', async () => {
  const [worker] = await startWorkers(1)
  const directory = storeModel(join(scratch, 'leaders'), UNTIED, 'F32')
  const lead = async () => {
    const [port] = await freePorts(1)
    const args = ['tests/support/weights-leader.mjs', directory, String(port), worker!.address]
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    const loaded = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as string[])
    return { loaded, size: anonymousMegabytes(worker!.server.pid!) }
  }
  const leaders = [await lead(), await lead(), await lead(), await lead()]
  expect(leaders.map(({ loaded }) => loaded)).toEqual([
    [['leader', worker!.address], [], []],
    ...[1, 2, 3].map(() => [['leader'], [], []]),
  ])
  // each session's state is 16 MB
  expect(leaders[3]!.size - leaders[0]!.size).toBeLessThan(30)
})

const anonymousMegabytes = (pid: number) =>
  Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

const bytesOf = (values: Float32Array | Int32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)
