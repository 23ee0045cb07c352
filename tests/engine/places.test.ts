import { expect, test } from 'vitest'
import { FunctionLibrary, type ProgramScope, Session, tf, traceProgram } from '../../src/engine/index.js'
import { BcodError } from '../../src/errors.js'

const V = { name: 'v', shape: [3], dtype: 'float32' } as const
const W = { name: 'w', shape: [2], dtype: 'bfloat16' } as const
const OWN = { name: 'own', shape: [], dtype: 'float32' } as const
const THREE = ['/device:CPU:0', '/device:CPU:1', '/device:CPU:2']
/** The last two places are one device. */
const TWO = ['/device:CPU:0', '/device:CPU:1', '/device:CPU:1']

/** `bump` adds a number to v, `look` tells v and w, and `own` counts at the first place. */
function opening(executor: 'graph' | 'xla', devices: readonly string[]): { library: FunctionLibrary; opened: Session } {
  const library = new FunctionLibrary()
  const bump = ({ read, assign, inputs }: ProgramScope) => {
    const next = tf.add(read(V), inputs.by!)
    assign(V, next)
    return { next }
  }
  const look = ({ read }: ProgramScope) => ({ v: read(V), w: tf.cast(read(W), 'float32') })
  const own = ({ read, assign }: ProgramScope) => {
    const count = tf.add(read(OWN), 1)
    assign(OWN, count)
    return { count }
  }
  const programs = [
    traceProgram(library, 'bump', { by: { shape: [], dtype: 'float32' } }, bump),
    traceProgram(library, 'look', {}, look),
    traceProgram(library, 'own', {}, own),
  ]
  const opened = new Session(library, [V, W, OWN], programs, executor, { places: { devices, atFirstOnly: ['own'] } })
  // 1.5 and -2 in bfloat16
  opened.write({ v: Float32Array.of(1, 2, 3), w: Uint8Array.of(0xc0, 0x3f, 0x00, 0xc0), own: Float32Array.of(0) })
  return { library, opened }
}

const session = (executor: 'graph' | 'xla', devices: readonly string[] = THREE): Session =>
  opening(executor, devices).opened

const by = (value: number) => ({ by: Float32Array.of(value) })

test.each(['graph', 'xla'] as const)(
  'every place has values of its own, and starts with what was written (%s)',
  (executor) => {
    const opened = session(executor)
    const runs = [0, 1, 2].map((place) => opened.start('bump', by(10 * place), place))
    expect(runs.map((end) => [...end().next!])).toEqual([
      [1, 2, 3],
      [11, 12, 13],
      [21, 22, 23],
    ])
    const seen = [0, 1, 2].map((place) => opened.start('look', {}, place)())
    expect(seen.map(({ v }) => v![0])).toEqual([1, 11, 21])
    for (const { w } of seen) expect([...w!]).toEqual([1.5, -2])
    expect([...opened.read('v')[0]!]).toEqual([1, 2, 3])
    opened.dispose()
  },
)

test('values of other places are added to the first’s, and the first’s is spread', () => {
  const opened = session('graph')
  opened.start('bump', by(10), 1)()
  opened.add(1, 'v')
  expect([...opened.read('v')[0]!]).toEqual([12, 14, 16])
  opened.spread('v')
  opened.run('bump', by(1))
  expect([0, 1, 2].map((place) => opened.start('look', {}, place)().v![0])).toEqual([13, 12, 12])
  opened.dispose()
})

test('what only the first place runs is at no other', () => {
  const opened = session('graph')
  expect([opened.run('own').count![0], opened.run('own').count![0]]).toEqual([1, 2])
  opened.spread('own')
  expect(() => opened.start('own', {}, 1)).toThrow('no program own at place 1')
  expect(() => opened.readAt(1, 'own')).toThrow('no variable own at place 1')
  opened.dispose()
})

test.each(['graph', 'xla'] as const)('places of one device share what programs only read (%s)', (executor) => {
  const opened = session(executor, TWO)
  const look = () => [0, 1, 2].map((place) => opened.start('look', {}, place)).map((end) => [...end().w!])
  opened.write({ w: Uint8Array.of(0x00, 0x40, 0x00, 0x40) }, 2)
  expect(look()).toEqual([
    [1.5, -2],
    [2, 2],
    [2, 2],
  ])
  expect([...opened.readAt(2, 'w')[0]!]).toEqual([2, 2])
  // the first that names a device may be left out: the others go on with what it holds
  opened.drop(1, new BcodError('PLACE_DIFFERS', 'for the test'))
  opened.write({ w: Uint8Array.of(0x80, 0x3f, 0x80, 0x3f) })
  expect(look()).toEqual([
    [1, 1],
    [1, 1],
    [1, 1],
  ])
  opened.dispose()
})

test.each(['graph', 'xla'] as const)(
  'places of one device have what programs write for themselves (%s)',
  (executor) => {
    const opened = session(executor, TWO)
    const runs = [0, 1, 2].map((place) => opened.start('bump', by(10 * place), place))
    expect(runs.map((end) => end().next![0])).toEqual([1, 11, 21])
    opened.add(2, 'v')
    expect([0, 1, 2].map((place) => opened.readAt(place, 'v')[0]![0])).toEqual([22, 11, 21])
    opened.spread('v')
    expect([0, 1, 2].map((place) => opened.readAt(place, 'v')[0]![0])).toEqual([22, 22, 22])
    opened.dispose()
  },
)

test.each([[THREE], [TWO]])('a program that is added later runs at every place on what that has (%j)', (devices) => {
  const { library, opened } = opening('graph', devices)
  const down = ({ read, assign }: ProgramScope) => {
    const next = tf.sub(read(V), tf.slice(tf.cast(read(W), 'float32'), [1], [1]))
    assign(V, next)
    return { next }
  }
  opened.extend(() => traceProgram(library, 'down', {}, down))
  for (const place of [1, 2]) opened.start('bump', by(10 * place), place)()
  const runs = [0, 1, 2].map((place) => opened.start('down', {}, place))
  // v − (−2)
  expect(runs.map((end) => end().next![0])).toEqual([3, 13, 23])
  expect([0, 1, 2].map((place) => opened.readAt(place, 'v')[0]![0])).toEqual([3, 13, 23])
  const sum = ({ read }: ProgramScope) => ({ sum: tf.add(read(OWN), tf.sum(read(V))) })
  expect(() => opened.extend(() => traceProgram(library, 'sum', {}, sum))).toThrow('sum: own is not kept where it runs')
  opened.dispose()
})
