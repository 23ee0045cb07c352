import { expect, it, onTestFinished } from 'vitest'
import { BackgroundSender } from '../../../src/gateway/log/background-sender.js'

it('a send that does not come to its end is told as a failure, and the end of it as well', async () => {
  let taken: () => void = () => undefined
  const changes: (string | null)[] = []
  const sender = new BackgroundSender({
    ...{ maxBytes: 1000, slow: 1, sent: () => undefined, lost: () => undefined },
    send: () =>
      new Promise((resolve) => {
        taken = resolve
      }),
    attempted: (problem) => changes.push(problem?.code ?? null),
  })
  onTestFinished(() => sender.close(0))
  sender.put({ key: 'a', value: new Uint8Array(1) })
  expect(sender.isKeepingUp).toBe(true)
  await expect.poll(() => changes).toEqual(['KAFKA_UNREACHABLE'])
  expect(sender.isKeepingUp).toBe(false)
  taken()
  await expect.poll(() => changes).toEqual(['KAFKA_UNREACHABLE', null])
  expect(sender.isKeepingUp).toBe(true)
})
