import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { GateReport } from '../../src/adapters/versions/gate-report.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { place, records } from './in-process.js'

/** A daemon with a program of the team's own that does what a script says. */
function gated(script: string, settings: Readonly<Record<string, unknown>> = {}) {
  const exec = [{ name: 'ours', command: ['/bin/sh', '-c', script] }]
  const made = place({ 'gate.exec': exec, ...settings })
  const report = (version: string) => {
    const path = join(made.config.adapters.dir, version, 'gate.json')
    return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as GateReport) : null
  }
  return { ...made, report }
}

const PASSED = `echo '{"outcome": "passed"}'`

test('steps, checkpoints and commits go on while a program hangs; a stop ends it, and the next daemon asks again', async () => {
  const marker = join(temporaryDirectory(), 'asked')
  const { start, live, report, scheduler } = gated(
    `if [ -e ${marker} ]; then ${PASSED}; else touch ${marker}; sleep 300; fi`,
  )
  const first = start()
  await first.until(({ state }) => state === 'running')
  first.log.append(records(0, 12))
  await first.until(({ step }) => step === 3 && first.log.committed === 12)
  await expect.poll(() => existsSync(marker)).toBe(true)
  expect([live(), report('v00000001')]).toEqual([null, null])

  const stopped = first.stop()
  for (let ended = false; !ended; ) {
    // slowly: the stop also waits for files, which take real time
    scheduler.advance(50)
    ended = await Promise.race([
      stopped.then(() => true),
      new Promise<false>((resolve) => setTimeout(resolve, 5, false)),
    ])
  }
  expect(first.daemon.status().state).toBe('stopped')
  expect([live(), report('v00000003')]).toEqual([null, null])

  const second = start()
  await second.until(({ adapter }) => adapter === 'v00000003')
  expect([live(), report('v00000003')?.outcome]).toEqual(['v00000003', 'passed'])
})

test('a candidate whose program takes too long, fails or prints rubbish is never live; a sound one after it is', async () => {
  const file = join(temporaryDirectory(), 'behaviour')
  const says = (script: string) => writeFileSync(file, script)
  says(PASSED)
  const { start, live, report } = gated(`. ${file}`, { 'gate.timeout': '500ms' })
  const { log, until, daemon } = start()
  await until(({ state }) => state === 'running')
  let step = 0
  const next = async (script: string): Promise<string | null> => {
    says(script)
    step += 1
    log.append(records(4 * (step - 1), 4))
    await until((status) => status.step === step)
    await daemon.checkpoint()
    return report(`v0000000${step}`)?.checks.at(-1)?.detail ?? null
  }
  expect(await next(PASSED)).toBeNull()
  expect(live()).toBe('v00000001')
  expect(await next('sleep 300')).toBe('GATE_HOOK_TIMEOUT exec:ours: no answer in 0.5 s')
  expect(await next('exit 7')).toBe('GATE_HOOK_FAILED exec:ours: it ended with code 7')
  expect(await next('echo fine')).toBe('GATE_HOOK_INVALID exec:ours: the answer is not JSON')
  expect(await next(`echo '{"outcome": "refused", "detail": "too rude"}'`)).toBe('too rude')
  expect([2, 3, 4, 5].map((n) => report(`v0000000${n}`)?.outcome)).toEqual(['error', 'error', 'error', 'refused'])
  expect([live(), daemon.status().adapter]).toEqual(['v00000001', 'v00000001'])
  await next(PASSED)
  expect(live()).toBe('v00000006')
  rmSync(file)
})
