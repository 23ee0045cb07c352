import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { GateReport } from '../../../src/adapters/versions/gate-report.js'
import { Gatekeeper } from '../../../src/daemon/adapters/gatekeeper.js'
import { BcodError } from '../../../src/errors.js'
import { type Check, finding, type GateSubject } from '../../../src/gate/check.js'
import { LearnerModel } from '../../../src/gate/learner-model.js'
import { sampleAdapter, temporaryDirectory } from '../../support/checkpoints.js'
import { registryIn } from '../../support/registry.js'
import { SilentTelemetry } from '../../support/silent-telemetry.js'

const signal = new AbortController().signal

function gatekeeper(run: Check['run']) {
  const directory = join(temporaryDirectory(), 'adapters')
  const { registry } = registryIn(directory)
  const telemetry = new SilentTelemetry()
  const seen: GateSubject[] = []
  const check: Check = {
    name: 'taste',
    run: async (subject) => {
      seen.push(subject)
      return run(subject)
    },
  }
  const call = () => Promise.reject(new Error('nothing to compute'))
  const model = new LearnerModel({ call, tokens: 1, rows: 1, endIds: new Set() })
  const made = new Gatekeeper({ registry, checks: [check], model, telemetry })
  const add = async (step: number) => {
    const { version } = await registry.add(sampleAdapter(step), { step, delta: step / 10 })
    return { version, adapter: sampleAdapter(step), delta: step / 10 }
  }
  const report = (version: string) =>
    JSON.parse(readFileSync(join(directory, version, 'gate.json'), 'utf8')) as GateReport
  return { gate: made, registry, telemetry, add, seen, report, directory }
}

test('a candidate is judged beside the version that is live, and the report lies in its folder', async () => {
  const { gate, registry, telemetry, add, seen, report, directory } = gatekeeper(async () =>
    finding({ outcome: 'passed', value: 0.25, bound: 1 }),
  )
  expect(await gate.passes(await add(1), signal)).toBe(true)
  await registry.publish('v00000001')
  expect(await gate.passes(await add(2), signal)).toBe(true)
  expect(seen.map(({ candidate, live }) => [candidate.version, live?.version ?? null])).toEqual([
    ['v00000001', null],
    ['v00000002', 'v00000001'],
  ])
  expect(seen[1]?.live).toMatchObject({ delta: 0.1, directory: join(directory, 'v00000001') })
  expect(report('v00000002')).toMatchObject({
    ...{ version: 'v00000002', parent: 'v00000001', outcome: 'passed' },
    checks: [{ name: 'taste', outcome: 'passed', value: 0.25, bound: 1, low: null }],
  })
  expect(await telemetry.metrics.text()).toMatch(/^bcod_gate_checks_total\{check="taste",outcome="passed"\} 2$/m)
  expect(await telemetry.metrics.text()).toMatch(/^bcod_gate_duration_seconds_count 2$/m)
})

test('the live version is read from its folder if another process made it live', async () => {
  const { gate, registry, add, seen } = gatekeeper(async () => finding({ outcome: 'passed' }))
  await add(1)
  await registry.publish('v00000001')
  await gate.passes(await add(2), signal)
  expect([...(seen[0]?.live?.adapter.tensors.values() ?? [])]).toEqual([...sampleAdapter(1).tensors.values()])
})

test('a verdict stands; what could not be judged is judged again', async () => {
  let verdict: () => ReturnType<Check['run']> = () => Promise.reject(new BcodError('GATE_HOOK_TIMEOUT', 'x'))
  const { gate, add, seen, report } = gatekeeper(() => verdict())
  const candidate = await add(1)
  expect(await gate.passes(candidate, signal)).toBe(false)
  expect(report('v00000001').outcome).toBe('error')
  verdict = async () => finding({ outcome: 'refused' })
  expect(await gate.passes(candidate, signal)).toBe(false)
  expect(report('v00000001').outcome).toBe('refused')
  expect(await gate.passes(candidate, signal)).toBe(false)
  expect(seen).toHaveLength(2)
})

test('a live version that cannot be read lets nothing pass, and the report says why', async () => {
  const { gate, registry, add, report, directory } = gatekeeper(async () => finding({ outcome: 'passed' }))
  await add(1)
  await registry.publish('v00000001')
  rmSync(join(directory, 'v00000001', 'adapter_model.safetensors'))
  expect(await gate.passes(await add(2), signal)).toBe(false)
  const { outcome, checks } = report('v00000002')
  expect(outcome).toBe('error')
  expect(checks[0]?.detail).toMatch(/^ADAPTER_INVALID .*v00000001\/adapter_model\.safetensors: is not there$/)
})

test('a gate that is stopped leaves no report', async () => {
  const stop = new AbortController()
  const { gate, add, registry } = gatekeeper(async () => {
    stop.abort(new BcodError('NOT_RUNNING', 'the daemon stops'))
    return finding({ outcome: 'passed' })
  })
  await expect(gate.passes(await add(1), stop.signal)).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  expect(await registry.gateReport('v00000001')).toBeNull()
})
