import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../daemon/feedback.js'

const LIMIT = 600_000

/** Processes that have the mark in their environment. */
const marked = (mark: string) =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(mark)
    } catch {
      return false
    }
  })

function startDemo() {
  const mark = `DEMO_SERVING_TEST=${crypto.randomUUID()}`
  const [name = '', value] = mark.split('=')
  const child = spawn(process.execPath, ['scripts/demo-serving.mjs'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, [name]: value },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const told = { text: '' }
  child.stdout.on('data', (chunk) => {
    told.text += chunk
  })
  const ended = once(child, 'close').then(([code]) => code as number)
  return { child, told, ended, left: () => marked(mark) }
}

const wanted = !process.env.BCOD_TEST_VLLM

test.skipIf(wanted)(
  '`make demo-serving` shows answers that the votes have changed, and leaves no process',
  async () => {
    const { told, ended, left } = startDemo()
    expect(await ended).toBe(0)
    console.log(told.text)
    const [, before, after] = /Liked: (\d+) of 17 answers before, (\d+) of 17 after/.exec(told.text) ?? []
    expect(Number(after)).toBeGreaterThan(Number(before))
    expect(told.text).toMatch(/384 .* v00000096 after [\d.]+ s/)
    expect(left()).toEqual([])
  },
  LIMIT,
)

test.skipIf(wanted)(
  'Ctrl-C ends it in the middle of the votes, and leaves no process',
  async () => {
    const { child, told, ended, left } = startDemo()
    await eventually(() => told.text.includes('thumbs up'), LIMIT)
    expect(left().length).toBeGreaterThan(4)
    child.kill('SIGINT')
    expect(await ended).toBe(130)
    expect(left()).toEqual([])
  },
  LIMIT,
)
