import { expect, test } from 'vitest'
import { runFor } from '../../../bench/gpu/process.mjs'

const node = (script: string) => [process.execPath, '-e', script]

test('what a program tells is its lines of JSON', async () => {
  const told: string[] = []
  const script = `console.log('{"event":"step","loss":1}\\nnot JSON\\n{"cut'); console.error('a warning')`
  const { lines, problem } = await runFor(60, node(script), { log: (text) => told.push(text) })
  expect(lines).toEqual([{ event: 'step', loss: 1 }])
  expect(problem).toBeNull()
  expect(told.join('')).toContain('a warning')
})

test('a program that fails has told what it had, and its last words say why', async () => {
  const { lines, problem } = await runFor(60, node(`console.log('{"event":"loaded"}'); throw new Error('no memory')`))
  expect(lines).toEqual([{ event: 'loaded' }])
  expect(problem).toMatch(/^ended with exit code 1: .*Error: no memory$/)
})

test('a program that takes too long ends with what it has started', async () => {
  const child = `require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])`
  const script = `const { pid } = ${child}; console.log(JSON.stringify({ pid })); setInterval(() => {}, 1000)`
  const { lines, problem } = await runFor(5, node(script))
  expect(problem).toBe('ran past its 5 s')
  const pid = lines[0]?.pid as number
  expect(pid).toBeGreaterThan(0)
  // a zombie that nobody has waited for yet still has a number
  await expect.poll(() => alive(pid)).toBe(false)
})

test('a program that is not there is a problem, too', async () => {
  const { lines, problem } = await runFor(60, ['/no/such/program'])
  expect(lines).toEqual([])
  expect(problem).toContain('ENOENT')
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
