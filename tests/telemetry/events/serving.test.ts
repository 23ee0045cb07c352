import { describe, expect, it } from 'vitest'
import { BcodError } from '../../../src/errors.js'
import { ServerGone, ServerLookedAt } from '../../../src/telemetry/events/serving.js'
import { capture } from '../capture.js'

const lost = new BcodError('SERVING_MISSING', 'v00000050 was not loaded', { place: 'gpu-1:8000' })

describe('a look at a model server', () => {
  it('tells the version that it serves, and that nothing is wrong', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new ServerLookedAt('gpu-1:8000', 50, null, null, true))
    expect(await sample('bcod_served_version{target="gpu-1:8000"}')).toBe(50)
    expect(await sample('bcod_serving_mismatch{target="gpu-1:8000"}')).toBe(0)
    expect(lines).toMatchObject([{ level: 'info', target: 'gpu-1:8000', version: 50 }])
  })

  it('tells what is wrong once, and keeps the metric', async () => {
    const { telemetry, lines, sample } = capture()
    const down = new BcodError('SERVING_UNREACHABLE', 'no answer (ECONNREFUSED)')
    telemetry.emit(new ServerLookedAt('gpu-1:8000', 50, null, null, true))
    telemetry.emit(new ServerLookedAt('gpu-1:8000', null, down, null, true))
    telemetry.emit(new ServerLookedAt('gpu-1:8000', null, down, null, false))
    expect(await sample('bcod_served_version{target="gpu-1:8000"}')).toBeNull()
    expect(await sample('bcod_serving_mismatch{target="gpu-1:8000"}')).toBe(1)
    expect(lines.slice(1)).toMatchObject([{ level: 'error', code: 'SERVING_UNREACHABLE', remedy: down.remedy }])
  })

  it('tells what it has mended', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new ServerLookedAt('gpu-1:8000', 50, null, lost, true))
    expect(await sample('bcod_serving_mismatch{target="gpu-1:8000"}')).toBe(0)
    expect(lines).toMatchObject([{ level: 'warn', code: 'SERVING_MISSING', msg: `server mended: ${lost.message}` }])
  })
})

it('a server that is gone leaves no series behind', async () => {
  const { telemetry, sample } = capture()
  telemetry.emit(new ServerLookedAt('gpu-1:8000', 50, null, null, true))
  telemetry.emit(new ServerGone('gpu-1:8000'))
  expect(await sample('bcod_served_version{target="gpu-1:8000"}')).toBeNull()
  expect(await sample('bcod_serving_mismatch{target="gpu-1:8000"}')).toBeNull()
})
