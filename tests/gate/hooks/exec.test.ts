import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { execCheck } from '../../../src/gate/hooks/exec.js'
import { subjectOf } from '../subject.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-exec-'))
afterAll(() => rmSync(directory, { recursive: true }))

const run = (script: string, timeout = 20_000, signal = new AbortController().signal) =>
  execCheck('team', { command: ['/bin/sh', '-c', script], model: '/model', timeout, showErrors: false }).run(
    subjectOf({}, { signal }),
  )

const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0)
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

describe('a program of the team', () => {
  it('gets the versions on its input, and its verdict is the finding', async () => {
    const seen = join(directory, 'seen.json')
    const verdict = '{"outcome": "refused", "value": 0.4, "low": 0.3, "bound": 0.5, "detail": "too\\nrude"}'
    const found = await run(`cat > ${seen}; printf '%s' '${verdict}'`)
    expect(found).toEqual({
      ...{ outcome: 'refused', value: 0.4, low: 0.3, high: null, bound: 0.5, reference: null },
      detail: 'too\\u000arude',
    })
    expect(JSON.parse(readFileSync(seen, 'utf8'))).toEqual({
      ...{ type: 'bcod.gate.v1', check: 'exec:team', model: '/model' },
      candidate: { version: 'v00000020', directory: '/registry/v00000020' },
      live: { version: 'v00000010', directory: '/registry/v00000010' },
    })
  })

  it('may leave its input unread', async () => {
    expect(await run(`exec <&-; echo '{"outcome": "passed"}'`)).toMatchObject({ outcome: 'passed' })
  })

  it('sees no variables of bcod', async () => {
    process.env.BCOD_SERVER_ADMIN_TOKEN = 'secret'
    const found = run(`test -z "$BCOD_SERVER_ADMIN_TOKEN" && test -n "$PATH" && echo '{"outcome": "passed"}'`)
    expect(await found.finally(() => delete process.env.BCOD_SERVER_ADMIN_TOKEN)).toMatchObject({ outcome: 'passed' })
  })

  it('that hangs is killed with all that it started', async () => {
    const file = join(directory, 'pid')
    const hung = run(`sleep 300 & echo $! > ${file}; wait`, 500)
    await expect(hung).rejects.toMatchObject({ line: 'GATE_HOOK_TIMEOUT exec:team: no answer in 0.5 s' })
    await expect.poll(() => isAlive(Number(readFileSync(file, 'utf8')))).toBe(false)
  })

  it('is killed when the gate is stopped', async () => {
    const file = join(directory, 'stopped')
    const stop = new AbortController()
    const stopped = run(`sleep 300 & echo $! > ${file}; wait`, 20_000, stop.signal)
    await expect.poll(() => existsSync(file) && readFileSync(file, 'utf8')).toMatch(/\n/)
    stop.abort(new Error('stopped'))
    await expect(stopped).rejects.toThrow('stopped')
    await expect.poll(() => isAlive(Number(readFileSync(file, 'utf8')))).toBe(false)
  })

  it('that leaves another process behind is done when it is done itself', async () => {
    const file = join(directory, 'left')
    expect(await run(`sleep 300 & echo $! > ${file}; echo '{"outcome": "passed"}'`)).toMatchObject({
      outcome: 'passed',
    })
    await expect.poll(() => isAlive(Number(readFileSync(file, 'utf8')))).toBe(false)
  })

  it.each([
    ['fails', 'echo x >&2; exit 3', 'GATE_HOOK_FAILED exec:team: it ended with code 3'],
    ['is killed', 'kill -9 $$', 'GATE_HOOK_FAILED exec:team: it was ended by SIGKILL'],
    ['prints rubbish', 'echo all good', 'GATE_HOOK_INVALID exec:team: the answer is not JSON'],
    ['prints nothing', 'true', 'GATE_HOOK_INVALID exec:team: the answer is empty'],
    ['prints a list', 'echo []', 'GATE_HOOK_INVALID exec:team: the answer is not a JSON object'],
    [
      'gives no outcome',
      `echo '{"outcome": "ok"}'`,
      'GATE_HOOK_INVALID exec:team: outcome is neither "passed" nor "refused"',
    ],
    [
      'gives a bad figure',
      `echo '{"outcome": "passed", "value": "1"}'`,
      'GATE_HOOK_INVALID exec:team: value is not a number',
    ],
    ['prints without end', 'yes', 'GATE_HOOK_INVALID exec:team: it printed more than 65536 bytes'],
  ])('that %s is a coded error', async (_, script, line) => {
    await expect(run(script)).rejects.toMatchObject({ line })
  })

  it('that is not there is a coded error', async () => {
    const check = execCheck('team', { command: ['/no/such'], model: '/m', timeout: 1e3, showErrors: false })
    await expect(check.run(subjectOf({}))).rejects.toMatchObject({
      line: 'GATE_HOOK_FAILED exec:team: cannot be started (ENOENT)',
    })
  })
})
