import { expect, test } from 'vitest'
import { type Context, type Run, type Step, sequence } from '../../../bench/gpu/sequence.mjs'

const there =
  (...gpus: string[]): Run =>
  () => ({ gpus })
const step = (name: string, gpus: number, run: Run = () => ({ found: name }), seconds = 60): Step => {
  return { name, seconds, gpus, run }
}

async function linesOf(steps: readonly Step[], device: Run, limit = Number.POSITIVE_INFINITY) {
  const context: Context = { work: '', python: '', peak: null, log: () => {}, device: null }
  const lines: Record<string, unknown>[] = []
  for await (const { took_s, ...line } of sequence(steps, { context, device, limit })) lines.push(line)
  return lines
}

test('a step that needs more GPUs than there are is refused, and says so', async () => {
  const steps = [step('golden', 0), step('bench', 1), step('places', 2)]
  expect(await linesOf(steps, there())).toEqual([
    { step: 'golden', found: 'golden' },
    { step: 'bench', refused: 'it needs 1 GPU; TensorFlow registers 0' },
    { step: 'places', refused: 'it needs 2 GPUs; TensorFlow registers 0' },
  ])
  expect((await linesOf(steps, there('GPU:0'))).map(({ found }) => found)).toEqual(['golden', 'bench', undefined])
  expect((await linesOf(steps, there('GPU:0', 'GPU:1'))).at(-1)).toEqual({ step: 'places', found: 'places' })
})

test('the device is looked at once, as a step or before the first one', async () => {
  let looks = 0
  const device: Run = () => {
    looks++
    return { gpus: ['GPU:0'] }
  }
  await linesOf([step('bench', 1), step('other', 1)], device)
  expect(looks).toBe(1)
  expect(await linesOf([step('device', 0, device), step('bench', 1)], device)).toEqual([
    { step: 'device', gpus: ['GPU:0'] },
    { step: 'bench', found: 'bench' },
  ])
  expect(looks).toBe(2)
})

test('a step that throws is a line, and the next one runs', async () => {
  const broken = step('broken', 0, () => {
    throw new Error('no room')
  })
  expect(await linesOf([broken, step('next', 0)], there())).toEqual([
    { step: 'broken', error: 'no room' },
    { step: 'next', found: 'next' },
  ])
})

test('a step has the time that is left, and none begins without', async () => {
  const given: number[] = []
  const run: Run = (_, seconds) => {
    given.push(seconds)
    return {}
  }
  await linesOf([step('own limit', 0, run), step('limit of all', 0, run, 1000)], there(), 500)
  expect(given[0]).toBe(60)
  expect(given[1]).toBeLessThanOrEqual(500)
  expect(given[1]).toBeGreaterThan(60)
  expect(await linesOf([step('late', 0)], there(), 5)).toEqual([{ step: 'late', refused: 'no time is left' }])
})
