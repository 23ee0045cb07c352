import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { EventLoopWatch } from '../../src/server/health.js'

describe('the watch over the event loop', () => {
  it('fails once after the loop stood longer than the limit, and recovers', async () => {
    const watch = new EventLoopWatch(300)
    await sleep(250)
    expect(watch.check()).toEqual({ name: 'event_loop', ok: true })
    const until = Date.now() + 600
    while (Date.now() < until);
    await sleep(50)
    expect(watch.check()).toMatchObject({
      name: 'event_loop',
      ok: false,
      detail: expect.stringMatching(/^stood for \d+ ms$/),
    })
    await sleep(250)
    expect(watch.check().ok).toBe(true)
    watch.close()
  })
})
