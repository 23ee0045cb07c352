import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serverDefinition } from '../../src/engine/cluster/definitions.js'
import { type WorkerIdentity, workerJob } from '../../src/engine/cluster/worker-name.js'
import { addonPath } from '../../src/engine/own-addons.js'
import { workerEnvironment } from '../../src/worker/environment.js'

const HOST = '127.0.0.1'
const THREADS = { threads: 1, interOpThreads: 4 }

/** The server of a worker, which starts and ends while this thread does nothing else. */
export class ServerAtOnce {
  private constructor(readonly pid: number) {}

  /** @param environment  over what a worker's program has */
  static start(port: number, identity: WorkerIdentity, environment: NodeJS.ProcessEnv = {}): ServerAtOnce {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-server-'))
    const [definition, word] = [join(directory, 'definition'), join(directory, 'word')]
    writeFileSync(definition, serverDefinition({ job: workerJob(identity), address: `${HOST}:${port}`, ...THREADS }))
    const descriptors = [openSync(definition, 'r'), openSync(word, 'w')]
    const child = spawn(addonPath('worker'), [HOST, '0', String(process.pid)], {
      env: { ...workerEnvironment(THREADS), ...environment },
      stdio: [...descriptors, 'inherit'],
      detached: true,
    })
    for (const descriptor of descriptors) closeSync(descriptor)
    const server = new ServerAtOnce(child.pid as number)
    let said = ''
    waitUntil(() => {
      said = readFileSync(word, 'utf8')
      return said.endsWith('\n') || server.state === 'Z'
    })
    rmSync(directory, { recursive: true })
    if (said !== 'serves\n') throw new Error(`no server at ${port}: ${said}`)
    return server
  }

  /** As the kernel has it: `T` is stopped, `Z` has ended and not been waited for. */
  get state(): string {
    return /^State:\s+(\S)/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1] ?? ''
  }

  /** Bytes of memory that it has reserved. */
  get addressSpace(): number {
    return 1024 * Number(/^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1])
  }

  kill(): void {
    process.kill(this.pid, 'SIGKILL')
    waitUntil(() => this.state === 'Z')
  }

  suspend(): void {
    process.kill(this.pid, 'SIGSTOP')
    waitUntil(() => this.state === 'T')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }
}

function waitUntil(condition: () => boolean): void {
  while (!condition()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
}
