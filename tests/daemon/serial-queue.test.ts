import { expect, test } from 'vitest'
import { SerialQueue } from '../../src/daemon/serial-queue.js'

const refusal = new Error('refused')
const newQueue = () => new SerialQueue(() => refusal)

/** A promise, and what settles it. */
function deferred() {
  let resolve: () => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<void>((ok, failed) => {
    resolve = ok
    reject = failed
  })
  return { promise, resolve, reject }
}

/** Lets everything run that needs no timer. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

test('tasks run one at a time, in the order in which they were queued, the first at once', async () => {
  const queue = newQueue()
  const log: string[] = []
  const gates = [deferred(), deferred(), deferred()]
  const ends = gates.map(({ promise }, i) =>
    queue.enqueue(async () => {
      log.push(`begin ${i}`)
      await promise
      log.push(`end ${i}`)
      return i
    }),
  )
  expect(log).toEqual(['begin 0'])
  gates[2]?.resolve()
  gates[1]?.resolve()
  await settle()
  expect(log).toEqual(['begin 0'])
  gates[0]?.resolve()
  expect(await Promise.all(ends)).toEqual([0, 1, 2])
  expect(log).toEqual(['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2'])
})

test('a task may queue another one, which runs after those that wait', async () => {
  const queue = newQueue()
  const log: string[] = []
  const gate = deferred()
  let inner: Promise<unknown> = Promise.resolve()
  queue.enqueue(async () => {
    await gate.promise
    inner = queue.enqueue(async () => log.push('queued by the first'))
  })
  queue.enqueue(async () => log.push('second'))
  gate.resolve()
  await settle()
  await inner
  expect(log).toEqual(['second', 'queued by the first'])
})

test('after close, what was queued runs, what comes later is refused, and the drain is reported', async () => {
  const queue = newQueue()
  const gate = deferred()
  let drained = false
  const first = queue.enqueue(() => gate.promise)
  const second = queue.enqueue(async () => 'ran')
  const end = queue.close().then(() => {
    drained = true
  })
  await expect(queue.enqueue(async () => 'late')).rejects.toBe(refusal)
  await settle()
  expect(drained).toBe(false)
  gate.resolve()
  await end
  await first
  expect(await second).toBe('ran')
  await queue.close()
})

test('the first failure ends the queue: what waits is refused and never runs', async () => {
  const queue = newQueue()
  const gate = deferred()
  const failure = new Error('the disk is gone')
  const first = queue.enqueue(() => gate.promise)
  let ran = false
  const second = queue.enqueue(async () => {
    ran = true
  })
  expect(queue.isFailed).toBe(false)
  queue.throwIfFailed()
  gate.reject(failure)
  await expect(first).rejects.toBe(failure)
  await expect(second).rejects.toBe(refusal)
  await expect(queue.failed).rejects.toBe(failure)
  await expect(queue.enqueue(async () => undefined)).rejects.toBe(refusal)
  expect([queue.isFailed, ran]).toEqual([true, false])
  expect(() => queue.throwIfFailed()).toThrow(failure)
})

test('a failure from outside refuses the running task too; what the task does later changes nothing', async () => {
  const queue = newQueue()
  const gate = deferred()
  const outside = new Error('the pipeline failed')
  const running = queue.enqueue(() => gate.promise)
  queue.fail(outside)
  queue.fail(new Error('later'))
  await expect(running).rejects.toBe(refusal)
  gate.reject(new Error('much later'))
  await settle()
  await expect(queue.failed).rejects.toBe(outside)
  expect(() => queue.throwIfFailed()).toThrow(outside)
})

test('nobody has to wait for a task: a failure that nobody awaits is no unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', note)
  const queue = newQueue()
  queue.enqueue(async () => {
    throw new Error('nobody looks')
  })
  queue.enqueue(async () => undefined)
  await settle()
  await settle()
  process.off('unhandledRejection', note)
  expect(queue.isFailed).toBe(true)
  expect(unhandled).toEqual([])
})
