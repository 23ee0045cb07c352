import { type ChildProcess, spawn } from 'node:child_process'
import { expect, onTestFinished } from 'vitest'
import { freePorts } from './worker-process.js'

export interface BcodWorker {
  readonly child: ChildProcess
  /** `host:port` for a leader. */
  readonly address: string
  readonly port: number
  readonly probePort: number
  stderr(): string
}

/** `bcod worker` with a model, of one thread. Resolves when it serves; it ends with the test. */
export async function bcodWorker(model: string, env: NodeJS.ProcessEnv = {}): Promise<BcodWorker> {
  const [port, probePort] = (await freePorts(2)) as [number, number]
  const settings = [`worker.port=${port}`, `worker.probePort=${probePort}`, 'worker.threads=1', `model.path=${model}`]
  const child = spawn(process.execPath, ['dist/cli.js', 'worker', ...settings.flatMap((each) => ['--set', each])], {
    ...{ env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'ignore', 'pipe'] },
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stderr.on('data', (data) => {
    text += data
  })
  await expect.poll(() => text, { timeout: 60_000 }).toContain('WorkerServes')
  return { child, address: `127.0.0.1:${port}`, port, probePort, stderr: () => text }
}
