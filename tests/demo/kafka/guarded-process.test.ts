import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { startGuarded } from '../../../src/demo/kafka/guarded-process.js'
import { until } from '../../support/kafka-reading.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-guarded-'))
symlinkSync(resolve('node_modules'), join(dir, 'node_modules'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    // a zombie waits for its parent to ask for it
    return !/^State:\tZ/m.test(existsSync(`/proc/${pid}`) ? readFileSync(`/proc/${pid}/status`, 'utf8') : '')
  } catch {
    return false
  }
}

describe.each([
  ['with setpriv', true],
  ['without setpriv', false],
])('%s', (_, setpriv) => {
  const options = { cwd: dir, logFile: join(dir, 'log'), setpriv }

  test('tells what the process says, and ends it', async () => {
    const child = startGuarded('sh', ['-c', 'echo ready; exec sleep 600'], options)
    expect(await child.says('ready', 5000)).toBe(true)
    expect(alive(child.pid)).toBe(true)
    await child.end('SIGTERM')
    expect(alive(child.pid)).toBe(false)
  })

  test('does not wait for the words of a process that has ended', async () => {
    const child = startGuarded('sh', ['-c', 'echo failed; exit 3'], options)
    expect(await child.says('ready', 60_000)).toBe(false)
    expect(child.log()).toBe('failed\n')
    await child.end('SIGKILL')
  })

  test('ends what a process in a group of its own has started', async () => {
    const script = 'sleep 600 & echo "child $! started"; wait'
    const child = startGuarded('sh', ['-c', script], { ...options, ownGroup: true })
    expect(await child.says('started', 5000)).toBe(true)
    const grandchild = Number(/child (\d+)/.exec(child.log())?.[1])
    expect(alive(grandchild)).toBe(true)
    await child.end('SIGKILL')
    await until(() => !alive(grandchild), 5000)
  })

  // the parent is a test run of its own, which is killed in the middle of a test
  test('the process dies with its parent, also by kill -9', { timeout: 30_000 }, async () => {
    const pids = join(dir, `pids-${setpriv}`)
    const parent = join(dir, `parent-${setpriv}.ts`)
    writeFileSync(
      parent,
      `import { writeFileSync } from 'node:fs'
       import { test } from 'vitest'
       import { startGuarded } from ${JSON.stringify(resolve('src/demo/kafka/guarded-process.ts'))}
       test('waits', { timeout: 60_000 }, async () => {
         const child = startGuarded('sleep', ['600'], ${JSON.stringify({ ...options, logFile: join(dir, 'inner') })})
         writeFileSync(${JSON.stringify(pids)}, process.pid + ' ' + child.pid + ' ')
         await new Promise(() => {})
       })`,
    )
    const vitest = resolve('node_modules/vitest/vitest.mjs')
    const config = join(dir, 'vitest.config.mjs')
    writeFileSync(config, `export default { test: { include: ['parent-${setpriv}.ts'], pool: 'forks' } }`)
    const args = ['run', '--root', dir, '--config', config]
    const run = spawn(process.execPath, [vitest, ...args], { cwd: dir, stdio: 'ignore' })
    await until(() => existsSync(pids) && readFileSync(pids, 'utf8').split(' ').length === 3)
    const [parentPid = 0, childPid = 0] = readFileSync(pids, 'utf8').split(' ').map(Number)
    expect(alive(childPid)).toBe(true)
    process.kill(parentPid, 'SIGKILL')
    await until(() => !alive(childPid), 5000)
    run.kill('SIGKILL')
  })
})
