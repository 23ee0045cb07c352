import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterEach, expect, test, vi } from 'vitest'
import { Session } from '../../../src/engine/index.js'
import type { Learner } from '../../../src/learner/learner.js'
import type { ServerProcess } from '../../../src/worker/server-process.js'
import { cases } from '../../support/thorough.js'
import { startServer } from '../../support/worker-process.js'
import { ledLearner, startWorkers, stepEvents } from './led-learner.js'

afterEach(() => vi.restoreAllMocks())

const given = { divergence: true, answerRows: 0 }

/** A kind of run at a worker: what makes the learner run it, and when it is about to begin at place 1. */
interface Kind {
  readonly name: string
  readonly act: (learner: Learner, step: number) => unknown
  /** Calls `strike` before the first such run. */
  readonly lieInWait: (strike: () => void) => void
}

const step = (learner: Learner, number: number) => learner.trainStep(stepEvents(number)).applied

const program = (prefix: string, act: Kind['act']): Kind => ({
  ...{ name: prefix, act },
  lieInWait(strike) {
    const { start } = Session.prototype
    vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, name, inputs, place) {
      if (place === 1 && name.startsWith(`${prefix}_`)) strike()
      return start.call(this, name, inputs, place)
    })
  },
})

/** Adapters of different steps, as the gate compares them. */
const underGiven = (learner: Learner, number: number) =>
  learner.logpsUnder(number % 2 === 0 ? learner.adapter() : null, stepEvents(number))

const KINDS: readonly Kind[] = [
  program('prepare', step),
  program('accumulate', step),
  {
    ...{ name: 'the fetch of a gradient', act: step },
    lieInWait(strike) {
      const { readAt } = Session.prototype
      vi.spyOn(Session.prototype, 'readAt').mockImplementation(function (this: Session, place, ...names) {
        if (place === 1) strike()
        return readAt.call(this, place, ...names)
      })
    },
  },
  {
    ...{ name: 'the spread of the adapter', act: step },
    lieInWait(strike) {
      const { spread } = Session.prototype
      vi.spyOn(Session.prototype, 'spread').mockImplementation(function (this: Session, ...names) {
        strike()
        return spread.apply(this, names)
      })
    },
  },
  program('score', (learner, number) => learner.score(stepEvents(number))),
  program('given', underGiven),
  program('divergence', (learner, number) => learner.divergences(learner.adapter(), null, stepEvents(number))),
  {
    ...{ name: 'the writing of a given adapter', act: underGiven },
    lieInWait(strike) {
      const { write } = Session.prototype
      vi.spyOn(Session.prototype, 'write').mockImplementation(function (this: Session, values, place) {
        if ('given.values' in values) strike()
        return write.call(this, values, place)
      })
    },
  },
]

/** `T`: stopped, `Z`: dead, not yet waited for. */
function signal(server: ServerProcess, name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT', until: RegExp): void {
  process.kill(server.pid!, name)
  const state = () => /^State:\s+(\S)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]!
  while (!until.test(state())) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
}

interface Fault {
  readonly name: string
  readonly codes: readonly string[]
  readonly strike: (server: ServerProcess) => void
  /** The worker as it serves again. */
  readonly heal: (server: ServerProcess, port: number) => Promise<ServerProcess>
}

const restart = async (server: ServerProcess, port: number) => {
  await server.stop()
  return startServer(port)
}

const FAULTS: readonly Fault[] = [
  {
    ...{ name: 'killed', codes: ['WORKER_LOST'], heal: restart },
    strike: (server) => signal(server, 'SIGKILL', /Z/),
  },
  {
    ...{ name: 'suspended', codes: ['WORKER_TIMEOUT'] },
    strike: (server) => signal(server, 'SIGSTOP', /T/),
    async heal(server) {
      signal(server, 'SIGCONT', /[RS]/)
      return server
    },
  },
  {
    // what TensorFlow cannot allocate it says, what others cannot ends the process
    ...{ name: 'out of memory', codes: ['DEVICE_OUT_OF_MEMORY', 'WORKER_LOST'], heal: restart },
    strike(server) {
      const size = /^VmSize:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]!
      execFileSync('prlimit', ['--pid', String(server.pid), `--as=${Number(size) * 1024}`])
    },
  },
]

test.each(cases(FAULTS, FAULTS.slice(0, 1)))(
  'whatever a worker that is $name was at, all is as in one process, and it is taken back',
  async ({ name, codes, strike, heal }) => {
    const workers = await startWorkers(2)
    const addresses = workers.map(({ address }) => address)
    let server = workers[0]!.server
    const alone = ledLearner([], { given })
    // what is suspended is waited for so long; on a busy machine the first run of a program takes seconds
    const timeout = name === 'suspended' ? '45s' : '170s'
    const led = ledLearner(addresses, { given, set: [`leader.operationTimeout=${timeout}`] })
    for (const [number, { name: run, act, lieInWait }] of cases(KINDS, KINDS.slice(1, 2)).entries()) {
      let struck = false
      lieInWait(() => {
        if (!struck) strike(server)
        struck = true
      })
      const result = act(led.learner, number)
      vi.restoreAllMocks()
      expect(struck, run).toBe(true)
      if (name !== 'out of memory' || led.dropped.length > 0) {
        expect(led.dropped.length, run).toBe(1)
        expect(codes, run).toContain(led.dropped[0]!.code)
        expect(led.learner.placeUse.map(({ used }) => used)).toEqual([true, false, true])
      }
      expect(result, run).toEqual(act(alone.learner, number))
      expect(led.learner.state(), run).toEqual(alone.learner.state())

      server = await heal(server, workers[0]!.port)
      led.learner.reopen(addresses)
      led.dropped.length = 0
      expect(
        led.learner.placeUse.map(({ used }) => used),
        run,
      ).toEqual([true, true, true])
      expect(led.learner.state(), run).toEqual(alone.learner.state())
    }
    for (const each of [alone, led]) each.learner.dispose()
  },
)
