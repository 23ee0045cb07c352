import { expect, test } from 'vitest'
import type { GateReport } from '../../../src/adapters/versions/gate-report.js'
import { GateOnDemand } from '../../../src/daemon/adapters/gate-on-demand.js'

const report: GateReport = {
  ...{ version: 'v00000003', parent: null, started: '2026-01-01T00:00:00Z', seconds: 1 },
  ...{ outcome: 'passed', checks: [] },
}

/** A gate that ends when it is told to. */
function place(wait: number) {
  const asked: string[] = []
  const failures: unknown[] = []
  const ends: { readonly report: () => void; readonly fail: (error: unknown) => void }[] = []
  const again = (version: string) => {
    asked.push(version)
    return new Promise<GateReport>((resolve, reject) => ends.push({ report: () => resolve(report), fail: reject }))
  }
  const stop = new AbortController()
  const failed = (error: unknown) => failures.push(error)
  const gates = new GateOnDemand({ gate: { again }, signal: stop.signal, failed, wait })
  return { gates, asked, failures, ends, stop }
}

test('the report is the answer, and whoever asks meanwhile waits for the same one', async () => {
  const { gates, asked, ends } = place(60_000)
  const both = [gates.run('v00000003'), gates.run('v00000003')]
  ends[0]?.report()
  expect(await Promise.all(both)).toEqual([report, report])
  expect(asked).toEqual(['v00000003'])
  const next = gates.run('v00000003')
  ends[1]?.report()
  expect([await next, asked.length]).toEqual([report, 2])
})

test('after the wait there is no report yet, and the gate goes on; its failure is told', async () => {
  const { gates, asked, ends, failures } = place(10)
  expect(await gates.run('v00000003')).toBeNull()
  expect(await gates.run('v00000003')).toBeNull()
  expect(asked).toEqual(['v00000003'])
  ends[0]?.fail('broken')
  await expect.poll(() => failures).toContain('broken')
})

test('a failure within the wait is the answer, and told to nobody else', async () => {
  const { gates, ends, failures } = place(60_000)
  const answer = gates.run('v00000003')
  ends[0]?.fail(new Error('broken'))
  await expect(answer).rejects.toThrow('broken')
  expect(failures).toEqual([])
})

test('a stop is no failure', async () => {
  const { gates, ends, failures, stop } = place(10)
  expect(await gates.run('v00000003')).toBeNull()
  stop.abort()
  ends[0]?.fail('stopped')
  await new Promise((resolve) => setImmediate(resolve))
  expect(failures).toEqual([])
})
