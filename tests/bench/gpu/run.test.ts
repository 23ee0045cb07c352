import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bcod, golden } from '../../../bench/gpu/measurements.mjs'
import type { Context } from '../../../bench/gpu/sequence.mjs'
import { linesOf, scratchDirectory } from '../../support/bcod.js'

/** `node bench/gpu/run.mjs`, where TensorFlow sees no GPU. */
function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, CUDA_VISIBLE_DEVICES: '-1' }
  return new Promise((resolve) =>
    execFile(process.execPath, ['bench/gpu/run.mjs', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    ),
  )
}

const context = (): Context => ({
  ...{ work: scratchDirectory(), python: 'python3', peak: null, log: () => {} },
  device: { gpus: [] },
})

test("the golden runs pass through the bench's own comparison", async () => {
  const { worst, within, error } = await golden('--part', 'ten steps', '--part', 'qwen2')(context(), 170)
  expect(error).toBeUndefined()
  expect(within).toBe(true)
  const { gradients, ...others } = worst
  expect(gradients).toBeLessThan(2e-5)
  const names = ['delta', 'grad_norm', 'log_probs', 'log_probs_shared', 'loss', 'trained_adapter']
  expect(Object.keys(others).sort()).toEqual(names)
  for (const [name, value] of Object.entries(others)) expect(value, name).toBeLessThan(1e-5)
})

test('a golden run that cannot be made is an error', async () => {
  expect((await golden('--part', 'no such part')(context(), 60)).error).toContain('ended with exit code 1')
})

test('a training is measured: its rate, its losses, its memory', async () => {
  const measured = await bcod({ shape: 'tiny', batch: 2, steps: 2 }, 'optimizer.lr=1e-3')(context(), 170)
  expect(measured).toMatchObject({ side: 'bcod', device: 'cpu', steps: 2, mfu: null, blocks: 1 })
  expect(measured.error).toBeUndefined()
  // the first two of the real lengths: 86 + 122 and 134 + 40 tokens
  expect(measured.tokens).toBe(2 * (86 + 122 + 134 + 40))
  expect(measured.tokens_per_s).toBeGreaterThan(0)
  const losses = measured.losses as number[]
  expect(losses).toHaveLength(5)
  // of one thumbs-up and one thumbs-down at the start, both of them even
  expect(losses[0]).toBeCloseTo(2 * Math.LN2, 5)
  expect(losses.at(-1)).toBeLessThan(losses[0] as number)
})

test('what needs a GPU is refused without one: a line for each step, also in the file, and exit code 1', async () => {
  const out = join(scratchDirectory(), 'out.jsonl')
  const { code, stdout, stderr } = await run('--only', 'bench-1b,places', '--out', out)
  expect(code).toBe(1)
  expect(linesOf(stdout)).toEqual([
    { step: 'bench-1b', refused: 'it needs 1 GPU; TensorFlow registers 0' },
    { step: 'places', refused: 'it needs 2 GPUs; TensorFlow registers 0' },
  ])
  expect(readFileSync(out, 'utf8')).toBe(stdout)
  expect(stderr).toContain('bench-gpu: bench-1b: refused: it needs 1 GPU')
})

test.each([
  [['--only', 'bench-2b'], 'no step bench-2b; there are device, golden-graph'],
  [['--limit', 'soon'], '--limit is a number above 0'],
  [['--peak', '0'], '--peak is a number above 0'],
])('%s is refused before anything runs', async (args, why) => {
  const { code, stdout, stderr } = await run(...args)
  expect(code).toBe(2)
  expect(stdout).toBe('')
  expect(stderr).toContain(why)
})

test('the list names every step with its limit', async () => {
  const { code, stdout } = await run('--list')
  expect(code).toBe(0)
  expect(stdout).toMatch(/^golden-graph +\d+ s {2,}losses/m)
  expect(stdout).toMatch(/^places +\d+ s 2 GPUs {2}all GPUs/m)
})
