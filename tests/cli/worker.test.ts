import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { hashModelDirectory } from '../../src/safetensors/model-identity.js'
import { VERSION } from '../../src/telemetry/version.js'
import { bcod } from '../support/bcod.js'
import { type BcodWorker, bcodWorker } from '../support/bcod-worker.js'
import { LOOPBACK, listeningAt } from '../support/listening.js'

const MODEL = 'tests/golden/tiny_llama'

interface Started extends BcodWorker {
  /** Of TensorFlow's server. */
  readonly serverPid: number
  /** What /healthz answers. */
  health(): Promise<{ readonly status: number; readonly body: Record<string, unknown> }>
}

async function startWorker(env: NodeJS.ProcessEnv = {}): Promise<Started> {
  const worker = await bcodWorker(MODEL, env)
  const serverPid = Number(execFileSync('pgrep', ['-P', String(worker.child.pid)], { encoding: 'utf8' }))
  const health = async () => {
    const answer = await fetch(`http://127.0.0.1:${worker.probePort}/healthz`)
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
  }
  return { ...worker, serverPid, health }
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

test('a worker says what it is, hides its secrets from what runs there, and ends in order', async () => {
  const { child, health, serverPid, port, probePort, stderr } = await startWorker({ AWS_SECRET_ACCESS_KEY: 'hunter2' })
  const { status, body } = await health()
  expect(status).toBe(200)
  expect(body).toEqual({
    ...{ status: 'serves', version: VERSION, tensorflow: '2.21.0', model: await hashModelDirectory(MODEL) },
    devices: [expect.stringMatching(/CPU:0$/)],
  })
  for (const each of [port, probePort]) expect(LOOPBACK).toContain(listeningAt(each).join())
  expect(readFileSync(`/proc/${serverPid}/environ`, 'utf8')).not.toContain('hunter2')
  expect((await fetch(`http://127.0.0.1:${probePort}/metrics`)).status).toBe(404)
  child.kill('SIGTERM')
  expect(await once(child, 'close')).toEqual([0, null])
  expect(isAlive(serverPid)).toBe(false)
  // nothing but what bcod says, one object a line
  expect(
    stderr()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).event),
  ).toEqual(['WorkerServes', 'WorkerStopped'])
})

test('what TensorFlow complains of in the server is said', async () => {
  const { stderr } = await startWorker({ TF_GRPC_REUSE_PORT: 'perhaps' })
  await expect.poll(stderr).toMatch(/^E.*TF_GRPC_REUSE_PORT.*perhaps/m)
})

test('a worker whose server is suspended is not healthy, and is again when it goes on', async () => {
  const { health, serverPid } = await startWorker()
  process.kill(serverPid, 'SIGSTOP')
  await expect.poll(() => readFileSync(`/proc/${serverPid}/status`, 'utf8')).toMatch(/^State:\s+T/m)
  expect(await health()).toMatchObject({ status: 503, body: { status: 'does not answer' } })
  process.kill(serverPid, 'SIGCONT')
  await expect.poll(async () => (await health()).status).toBe(200)
})

test('a worker and its server end with each other', async () => {
  const first = await startWorker()
  process.kill(first.serverPid, 'SIGKILL')
  expect(await once(first.child, 'exit')).toEqual([1, null])
  expect(first.stderr()).toMatch(/WORKER_FAILED 127\.0\.0\.1:\d+: the server ended with SIGKILL\n {2}-> /)
  const second = await startWorker()
  second.child.kill('SIGKILL')
  await expect.poll(() => isAlive(second.serverPid)).toBe(false)
})

test('two workers do not share a port, and the second says so', async () => {
  const { port } = await startWorker()
  const second = await bcod('worker', '--set', `worker.port=${port}`, '--set', 'worker.probePort=0')
  expect(second).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^WORKER_BIND_FAILED .*: bind: Address already in use/m),
  })
})

test('a worker listens at every address of the machine only if that is admitted, and check says the same', async () => {
  for (const command of ['worker', 'check'])
    for (const address of ['0.0.0.0', '::']) {
      const { code, stderr } = await bcod(command, '--set', `worker.address=${address}`)
      expect(stderr).toMatch(/^CONFIG_INVALID worker\.address: .*worker\.admitAnyNetwork=true/m)
      expect(code).toBe(2)
    }
})
