import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bcod, documentOf, jsonl } from '../support/bcod.js'
import { bcodWorker } from '../support/bcod-worker.js'
import { freePorts } from '../support/worker-process.js'

const MODEL = 'tests/golden/tiny_llama'

/** Long events for the tiny Llama, which takes 64 tokens: two fill a batch. */
const EVENTS = Array.from({ length: 24 }, (_, i) => {
  const tokens = (count: number, times: number) =>
    Array.from({ length: count }, (_, k) => 3 + ((i * 13 + k * times) % 250))
  return { prompt_tokens: tokens(36, 7), completion_tokens: tokens(20, 11), label: i % 3 > 0 }
})

// what one place makes of the events is for all tests
const directory = mkdtempSync(join(tmpdir(), 'bcod-led-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const events = jsonl(directory, 'events.jsonl', EVENTS)
const replay = (out: string) => [
  ...['replay', '--events', events, '--out', join(directory, out), '--model', MODEL, '--json'],
  ...['--set', 'batch.tokens=64', '--set', 'batch.size=8', '--set', 'model.executor=graph'],
]

/** Flags of a leader over these workers. */
async function leading(workers: readonly string[]): Promise<readonly string[]> {
  const [port] = await freePorts(1)
  const devices = ['CPU:0', ...workers.map((worker) => `${worker}/CPU:0`)].join()
  return ['--set', `devices=${devices}`, '--set', 'leader.address=127.0.0.1', '--set', `leader.port=${port}`]
}

let alone: unknown
beforeAll(async () => {
  const written = await bcod(...replay('alone'))
  expect(written.code, written.stderr).toBe(0)
  alone = documentOf(written).adapter_sha256
})

test('what a leader and two workers wrote is followed on one place, bit by bit, also after a leader that was killed', async () => {
  const workers = await Promise.all([bcodWorker(MODEL), bcodWorker(MODEL)])
  const flags = await leading(workers.map(({ address }) => address))

  const first = spawn(process.execPath, ['dist/cli.js', ...replay('killed'), ...flags], { stdio: 'ignore' })
  await expect.poll(() => existsSync(join(directory, 'killed', 'checkpoint')), { timeout: 60_000 }).toBe(true)
  first.kill('SIGKILL')
  await once(first, 'exit')

  const written = await bcod(...replay('led'), ...flags)
  expect(written.code, written.stderr).toBe(0)
  expect(written.stderr).not.toContain('is not used')
  expect(documentOf(written).adapter_sha256).toBe(alone)

  const lineage = ['--lineage', join(directory, 'led', 'checkpoint'), '--out', join(directory, 'on-one')]
  const followed = await bcod('replay', ...lineage, '--json')
  expect(followed.code, followed.stderr).toBe(0)
  expect(documentOf(followed)).toMatchObject({ steps: 3, adapter_sha256: alone })
})

test('workers that are away, or have another model, are named and left out', async () => {
  const [port] = await freePorts(1)
  const other = await bcodWorker('tests/golden/arch/qwen2')
  const flags = await leading([`127.0.0.1:${port}`, other.address])
  const written = await bcod(...replay('without'), ...flags)
  expect(written.code, written.stderr).toBe(0)
  expect(written.stderr).toMatch(/place 1 of devices is not used: WORKER_UNREACHABLE 127\.0\.0\.1:\d+: no connection/)
  expect(written.stderr).toMatch(/place 2 of devices is not used: WORKER_DIFFERS 127\.0\.0\.1:\d+: it has model/)
  expect(documentOf(written).adapter_sha256).toBe(alone)

  const doctor = await bcod('doctor', ...flags, '--set', `model.path=${MODEL}`)
  expect(doctor.code).toBe(1)
  expect(doctor.stdout).toMatch(/^fail +worker +WORKER_UNREACHABLE/m)
  expect(doctor.stdout).toMatch(/^fail +worker +WORKER_DIFFERS/m)
})
