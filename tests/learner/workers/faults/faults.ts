import { execFileSync } from 'node:child_process'
import type { ErrorCode } from '../../../../src/errors.js'
import { ServerAtOnce } from '../../../support/server-at-once.js'
import type { StruckWorker } from './world.js'

/** What happens to a worker. */
export interface Fault {
  readonly name: string
  /** The error of a run at it. */
  readonly codes: readonly ErrorCode[]
  readonly strike: (worker: StruckWorker) => void
  /** It serves again. */
  readonly heal: (worker: StruckWorker) => void
  /** Whether another serves at first, which is not taken back. */
  readonly isReplaced?: boolean
  /** Whether only a limit of time shows it. */
  readonly silence?: boolean
  /** Whether it needs values that are large. */
  readonly isLarge?: boolean
  /** What the worker's program is started with. */
  readonly environment?: NodeJS.ProcessEnv
  /** Whether it concerns the network around the worker. */
  readonly isOfNetwork?: boolean
}

const restart = (worker: StruckWorker, identity = worker.identity) => {
  if (worker.server.state !== 'Z') worker.server.kill()
  worker.server = ServerAtOnce.start(worker.port, identity, worker.environment)
}

export const KILLED: Fault = {
  name: 'killed',
  codes: ['WORKER_LOST'],
  strike: ({ server }) => server.kill(),
  heal: restart,
}

/** Another process serves before the leader has seen that the first has ended. */
export const RESTARTED: Fault = { name: 'restarted', codes: ['WORKER_LOST'], strike: restart, heal: () => {} }

/** The process that serves then is none that the leader can use. */
const replacedBy = (what: string, other: Partial<StruckWorker['identity']>): Fault => ({
  ...{ name: `replaced by one with ${what}`, codes: ['WORKER_LOST'], isReplaced: true, heal: restart },
  strike: (worker) => restart(worker, { ...worker.identity, ...other }),
})

export const REPLACED: readonly Fault[] = [
  replacedBy('another version', { version: '9.9.9' }),
  replacedBy('another model', { model: '0'.repeat(64) }),
]

export const SUSPENDED: Fault = {
  name: 'suspended',
  codes: ['WORKER_TIMEOUT'],
  strike: ({ server }) => server.suspend(),
  heal: ({ server }) => server.resume(),
  silence: true,
}

/**
 * It gets no more memory from the system, which it asks for each large value. What TensorFlow cannot allocate it says, what
 * others cannot ends the process.
 */
export const OUT_OF_MEMORY: Fault = {
  name: 'out of memory',
  codes: ['DEVICE_OUT_OF_MEMORY', 'WORKER_LOST'],
  strike({ server: { pid, addressSpace } }) {
    execFileSync('prlimit', ['--pid', String(pid), `--as=${addressSpace}`])
  },
  heal: restart,
  isLarge: true,
  environment: {
    ...{ MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '16384' },
    ...{ MALLOC_TRIM_THRESHOLD_: '0', MALLOC_TOP_PAD_: '0' },
  },
}

export const PARTED: Fault = {
  name: 'cut off from all others',
  codes: ['WORKER_TIMEOUT'],
  strike: ({ network }) => network?.part(),
  heal: ({ network }) => network?.mend(),
  silence: true,
  isOfNetwork: true,
}

export const UNHEARD: Fault = {
  ...PARTED,
  name: 'not heard by others, which it hears',
  strike: ({ network }) => network?.partFromWorker(),
}
