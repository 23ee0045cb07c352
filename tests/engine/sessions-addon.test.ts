import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Attributes, attr, DataType, nodeDef, proto } from '../../src/engine/proto.js'
import { writeGraph } from '../../src/engine/saved-model.js'
import { type Feed, sessions } from '../../src/engine/tensorflow.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-sessions-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** ConfigProto { device_count { key: "CPU" value: 2 } } */
const TWO_DEVICES = Uint8Array.of(0x0a, 0x07, 0x0a, 0x03, 0x43, 0x50, 0x55, 0x10, 0x02)

/** Echoes of a value of each type, one of them on a second device, and a queue: who takes from it waits for who puts. */
beforeAll(() => {
  const graph = new proto.GraphDef()
  const node = (name: string, op: string, inputs: string[], attributes: Attributes, device = '') => {
    const definition = nodeDef(name, op, inputs, attributes)
    definition.setDevice(device)
    graph.addNode(definition)
  }
  for (const type of ['float32', 'int32', 'uint8', 'float64'] as const) {
    node(`${type}/in`, 'Placeholder', [], { dtype: attr.type(DataType[type]) })
    node(`${type}/out`, 'Identity', [`${type}/in`], { T: attr.type(DataType[type]) })
  }
  const T = attr.type(DataType.float32)
  node('second/out', 'Identity', ['float32/in'], { T }, '/device:CPU:1')
  node('double', 'Cast', ['float32/in'], { SrcT: T, DstT: attr.type(DataType.float64) })
  const types = attr.types([DataType.float32])
  node('queue', 'FIFOQueueV2', [], { component_types: types })
  node('put', 'QueueEnqueueV2', ['queue', 'float32/in'], { Tcomponents: types })
  node('put/done', 'Identity', ['float32/in', '^put'], { T })
  node('take', 'QueueDequeueV2', ['queue'], { component_types: types })
  node('end', 'QueueCloseV2', ['queue'], {})
  node('end/done', 'Identity', ['float32/in', '^end'], { T })
  writeGraph(directory, graph)
})

function open() {
  const session = sessions.load(directory, '', TWO_DEVICES)
  const start = (feeds: readonly Feed[], ...fetches: string[]) => sessions.start(session, feeds, fetches)
  return {
    start,
    close: () => sessions.close(session),
    run: (feeds: readonly Feed[], ...fetches: string[]) => sessions.wait(start(feeds, ...fetches)),
  }
}

const one = (value: number): Feed => ({ name: 'float32/in:0', shape: [], values: Float32Array.of(value) })

test('values come back as they went in, of every type and also empty, and are nobody’s but the caller’s', () => {
  const { run, close } = open()
  for (const values of [Float32Array.of(1.5, Number.NaN), Int32Array.of(-1, 2 ** 30), Uint8Array.of(0, 255)]) {
    const type = values.constructor.name.replace('Array', '').toLowerCase()
    const name = type === 'uint8' || type === 'int32' ? type : 'float32'
    for (const [shape, part] of [
      [[2, 1], values],
      [[0, 3], values.subarray(0, 0)],
      [[1], values.subarray(1)],
    ] as const) {
      const [out] = run([{ name: `${name}/in:0`, shape, values: part }], `${name}/out:0`)
      expect(out).toEqual(part)
      expect(out?.buffer).not.toBe(values.buffer)
    }
  }
  close()
})

test('runs of one session go on at the same time: one that waits for another ends', () => {
  const { start, run, close } = open()
  const taken = ['take:0', 'take:0'].map((fetch) => start([], fetch))
  run([one(1)], 'put/done:0')
  run([one(2)], 'put/done:0')
  expect(
    taken
      .reverse()
      .map((each) => sessions.wait(each)[0]![0])
      .sort(),
  ).toEqual([1, 2])
  close()
})

test('a session that is closed ends after its last run, and begins no other', () => {
  const session = sessions.load(directory, '', TWO_DEVICES)
  const taken = sessions.start(session, [], ['take:0'])
  const put = sessions.start(session, [one(7)], ['put/done:0'])
  sessions.close(session)
  expect(sessions.wait(taken)).toEqual([Float32Array.of(7)])
  sessions.wait(put)
  const late = expect.objectContaining({ code: 'FAILED_PRECONDITION' })
  expect(() => sessions.start(session, [], ['take:0'])).toThrow(late)
  expect(() => sessions.wait(taken)).toThrow(late)
})

test('options are heeded: a second device is there because they say so', () => {
  const { run, close } = open()
  expect(run([one(3)], 'second/out:0')).toEqual([Float32Array.of(3)])
  close()
  expect(() => sessions.load(directory, '', new Uint8Array())).toThrow(/second\/out.*CPU:1/)
})

describe('an error has TensorFlow’s code and message', () => {
  const failure = (code: string, message: RegExp) =>
    expect.objectContaining({ code, message: expect.stringMatching(message) })

  test('if a session cannot be opened', () => {
    const load =
      (folder = directory, target = '', config = TWO_DEVICES) =>
      () =>
        sessions.load(folder, target, config)
    expect(load(join(directory, 'none'))).toThrow(failure('NOT_FOUND', /SavedModel/))
    expect(load(directory, 'nobody://there')).toThrow(failure('NOT_FOUND', /nobody:\/\/there/))
    expect(load(directory, '', Uint8Array.of(255))).toThrow(failure('INVALID_ARGUMENT', /ConfigProto/))
  })

  test('if a run cannot begin or fails, and the session goes on', () => {
    const { start, run, close } = open()
    expect(() => start([], 'nothing:0')).toThrow(failure('NOT_FOUND', /nothing:0/))
    const tooFew: Feed = { name: 'float32/in:0', shape: [2], values: Float32Array.of(1) }
    expect(() => start([tooFew], 'float32/out:0')).toThrow(failure('INVALID_ARGUMENT', /shape/))
    expect(() => run([], 'float32/out:0')).toThrow(failure('INVALID_ARGUMENT', /must feed a value/))
    expect(() => run([one(1)], 'double:0')).toThrow(failure('INVALID_ARGUMENT', /results are/))
    run([one(1)], 'end/done:0')
    expect(() => run([], 'take:0')).toThrow(failure('OUT_OF_RANGE', /closed/))
    expect(run([one(4)], 'float32/out:0')).toEqual([Float32Array.of(4)])
    close()
  })
})

test('no tensor is left behind by runs, nor by such that fail or that nobody waits for when their thread ends', async () => {
  const before = sessions.liveTensors()
  const { run, close } = open()
  run([one(1)], 'float32/out:0', 'float32/out:0')
  expect(() => run([one(1)], 'float32/out:0', 'double:0')).toThrow()
  expect(() => run([one(1), { ...one(2), name: 'nothing:0' }], 'float32/out:0')).toThrow()
  expect(sessions.liveTensors()).toBe(before)
  close()
  // a thread ends with a session open, one closed, and a run in each of them
  const program = `
    const { sessions } = await import(${JSON.stringify(pathToFileURL(resolve('dist/engine/tensorflow.js')))})
    for (const closed of [false, true]) {
      const session = sessions.load(${JSON.stringify(directory)}, '', Uint8Array.from([${TWO_DEVICES}]))
      const feed = { name: 'float32/in:0', shape: [1000000], values: new Float32Array(1000000) }
      for (let i = 0; i < 20; i++) sessions.start(session, [feed], ['float32/out:0'])
      if (closed) sessions.close(session)
    }`
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`))
    onTestFinished(() => void worker.terminate())
    const ended = await new Promise((done) => worker.once('error', done).once('exit', done))
    expect(ended).toBe(0)
    expect(sessions.liveTensors()).toBe(before)
  }
})

test('tells which devices there are, and how long a run took', () => {
  expect(sessions.devices()).toContain('/job:localhost/replica:0/task:0/device:CPU:0')
  const session = sessions.load(directory, '', TWO_DEVICES)
  const began = performance.now()
  const { seconds } = sessions.wait(sessions.start(session, [one(7)], ['put/done:0']))
  expect(seconds).toBeGreaterThan(0)
  expect(seconds).toBeLessThanOrEqual((performance.now() - began) / 1000)
  sessions.close(session)
})
