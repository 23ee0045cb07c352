import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { BcodError } from '../../../src/errors.js'
import { BuildInfo, ConfigLoaded, Failed, LifecycleChanged } from '../../../src/telemetry/events/daemon.js'
import { LIFECYCLE_STATES } from '../../../src/telemetry/lifecycle.js'
import { capture } from '../capture.js'

describe('the lifecycle', () => {
  it('is one-hot after any sequence of changes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...LIFECYCLE_STATES), { minLength: 1, maxLength: 6 }),
        async (states) => {
          const { telemetry, sample } = capture('silent')
          for (const state of states) telemetry.emit(new LifecycleChanged(state))
          const values = await Promise.all(
            LIFECYCLE_STATES.map((state) => sample(`bcod_lifecycle_state{state="${state}"}`)),
          )
          expect(values).toEqual(LIFECYCLE_STATES.map((state) => (state === states.at(-1) ? 1 : 0)))
        },
      ),
      { numRuns: 30 },
    )
  })

  it('has all states at 0 before the first change', async () => {
    expect(await capture().sample('bcod_lifecycle_state{state="running"}')).toBe(0)
  })
})

describe('start-up', () => {
  it('tells version and the shape of learning as labels', async () => {
    const { telemetry, metrics } = capture()
    telemetry.emit(new BuildInfo())
    telemetry.emit(new ConfigLoaded(loadConfig({ env: {}, set: ['bco.mode=trl'] })))
    const text = await metrics.text()
    expect(text).toMatch(/^bcod_build_info\{version="[^"]+",node="v\d+[^"]*"\} 1$/m)
    expect(text).toMatch(/^bcod_config_info\{mode="trl",reduction="classRate",ratio="online",dtype="f32",.*\} 1$/m)
  })
})

describe('a failure', () => {
  it('is logged with code, place and remedy', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new Failed(new BcodError('SERVER_PORT_IN_USE', 'the port is taken', { place: 'h:1' }), true))
    telemetry.emit(new Failed(new TypeError('x is not a function'), false))
    expect(lines[0]).toMatchObject({
      level: 'fatal',
      code: 'SERVER_PORT_IN_USE',
      place: 'h:1',
      msg: 'the port is taken',
    })
    expect(lines[0]?.remedy).toContain('server.port')
    expect(lines[1]).toMatchObject({ level: 'error', code: 'INTERNAL', stack: expect.stringContaining('x is not') })
  })
})
