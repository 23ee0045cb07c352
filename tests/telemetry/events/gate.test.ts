import { describe, expect, it } from 'vitest'
import { GateChecked, GateOpened, VersionGated } from '../../../src/telemetry/events/gate.js'
import { capture } from '../capture.js'

const figures = { value: -6, low: -8, high: -4, bound: -5 }

describe('the gate', () => {
  it('has counters at 0 before it has looked at anything, so that the first refusal is an increase', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new GateOpened(['finite', 'probe:harm']))
    for (const outcome of ['passed', 'refused', 'skipped', 'error'])
      expect(await sample(`bcod_gate_checks_total{check="probe:harm",outcome="${outcome}"}`)).toBe(0)
  })

  it('counts each check by its outcome, and warns of those that a candidate does not pass', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new GateChecked('v00000020', { name: 'finite', outcome: 'passed', ...figures }))
    telemetry.emit(new GateChecked('v00000020', { name: 'probe:flattery', outcome: 'refused', ...figures }))
    expect(await sample('bcod_gate_checks_total{check="finite",outcome="passed"}')).toBe(1)
    expect(await sample('bcod_gate_checks_total{check="probe:flattery",outcome="refused"}')).toBe(1)
    expect(lines.at(-1)).toMatchObject({ level: 'warn', version: 'v00000020', check: 'probe:flattery', value: -6 })
  })

  it('never logs the detail of a check: a hook may have written anything into it', () => {
    const { telemetry, lines } = capture()
    const check = { name: 'exec:ours', outcome: 'refused' as const, ...figures, detail: 'a text of a user' }
    telemetry.emit(new GateChecked('v00000020', check))
    expect(JSON.stringify(lines)).not.toContain('a text of a user')
  })

  it('tells how long it took', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new VersionGated({ version: 'v00000020', outcome: 'error', seconds: 2.5 }))
    expect(await sample('bcod_gate_duration_seconds_sum')).toBe(2.5)
    expect(lines).toMatchObject([{ level: 'warn', msg: 'gate: error', version: 'v00000020' }])
  })
})
