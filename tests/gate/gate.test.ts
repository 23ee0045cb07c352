import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { type Check, type Finding, finding } from '../../src/gate/check.js'
import { finiteCheck } from '../../src/gate/finite.js'
import { runGate } from '../../src/gate/gate.js'
import { adapterOf, subjectOf, versionOf } from './subject.js'

const check = (name: string, outcome: Finding['outcome']): Check => ({ name, run: async () => finding({ outcome }) })
const failing = (name: string, error: Error): Check => ({ name, run: () => Promise.reject(error) })

const subject = subjectOf({})

describe('a gate', () => {
  it('passes a candidate that every check passes or skips', async () => {
    const report = await runGate([check('a', 'passed'), check('b', 'skipped')], subject, { now: () => 0 })
    const empty = { value: null, low: null, high: null, bound: null, reference: null, detail: null }
    expect(report).toEqual({
      ...{ version: 'v00000020', parent: 'v00000010', started: '1970-01-01T00:00:00.000Z', seconds: 0 },
      outcome: 'passed',
      checks: [
        { name: 'a', outcome: 'passed', ...empty },
        { name: 'b', outcome: 'skipped', ...empty },
      ],
    })
  })

  it('refuses it if one refuses, and still runs all others', async () => {
    const seen: string[] = []
    const checks = [check('a', 'refused'), failing('b', new BcodError('MODEL_NONFINITE', 'x')), check('c', 'passed')]
    const report = await runGate(checks, subject, { checked: ({ name }) => seen.push(name) })
    expect(report.outcome).toBe('refused')
    expect(seen).toEqual(['a', 'b', 'c'])
  })

  it('does not pass it if a check could not be run, and the report says why', async () => {
    const coded = new BcodError('MODEL_NONFINITE', 'a token has no probability', { place: 'model' })
    const report = await runGate([check('a', 'passed'), failing('b', coded)], subject)
    expect(report.outcome).toBe('error')
    expect(report.checks[1]).toMatchObject({
      outcome: 'error',
      detail: 'MODEL_NONFINITE model: a token has no probability',
    })
  })

  it('shows nothing of an error without a code: it may hold a text', async () => {
    const { checks } = await runGate([failing('a', new Error('what the user wrote'))], subject)
    expect(checks[0]!.detail).toBe('INTERNAL: the check failed')
  })

  it('has no report if it is stopped', async () => {
    const stop = new AbortController()
    const stopping: Check = {
      name: 'a',
      run: async () => {
        stop.abort(new BcodError('NOT_RUNNING', 'stopped'))
        return finding({ outcome: 'passed' })
      },
    }
    const stopped = runGate([stopping], subjectOf({}, { signal: stop.signal }))
    await expect(stopped).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  })

  it('has no parent before anything was live', async () => {
    expect((await runGate([], subjectOf({}, { live: null }))).parent).toBeNull()
  })
})

it.each([
  ['NaN', Number.NaN],
  ['infinity', Number.POSITIVE_INFINITY],
])('an adapter with %s is refused, and the tensor is named', async (_, bad) => {
  const adapter = adapterOf({ 'model.layers.0.self_attn.q_proj': { a: [[1, 2]], b: [[0], [bad]] } })
  const found = await finiteCheck.run(subjectOf({}, { candidate: versionOf('v00000020', adapter) }))
  expect(found.outcome).toBe('refused')
  expect(found.detail).toBe('tensor base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight')
})
