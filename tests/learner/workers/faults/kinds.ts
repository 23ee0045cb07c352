import { vi } from 'vitest'
import { Session } from '../../../../src/engine/index.js'
import type { TrainingEvent } from '../../../../src/events/types.js'
import type { Learner } from '../../../../src/learner/learner.js'

/** The place that faults concern. */
export const STRUCK = 1

/** A run that a fault happened to. */
export interface StruckRun {
  /** How often the fault happened. */
  readonly strikes: number
  /** Whether this run, or one of its kind after it, is what failed. */
  readonly failed: boolean
}

/** A kind of run at a worker. */
export interface Kind {
  readonly name: string
  /** What makes a learner run it; returns all that was computed. */
  readonly act: (learner: Learner, events: readonly TrainingEvent[], number: number) => unknown
  /** Makes a fault happen to the next such run. Until mocks are restored. */
  readonly lieInWait: (strike: () => void) => StruckRun
}

export const step: Kind['act'] = (learner, events) => learner.trainStep(events).applied

/** Adapters of different steps, as the gate compares them. */
const underGiven: Kind['act'] = (learner, events, number) =>
  learner.logpsUnder(number % 2 === 0 ? learner.adapter() : null, events)

const PROMPTS = Array.from({ length: 6 }, (_, i) => Array.from({ length: 4 + i }, (_, k) => 3 + i * 11 + k * 5))
const sample: Kind['act'] = (learner, _, number) =>
  learner.generate(PROMPTS, { maxTokens: 4, temperature: 1, seed: number, eosIds: new Set() })

/** A program of packed batches or of the sampler, and what makes a learner run it. */
type ActingProgram = readonly [name: string, act: Kind['act']]

/** For a program to be under way at a worker: its first run takes tenths of a second. */
const UNDER_WAY_MS = 50

/** A run of a program when it is about to begin or, if it is the first, under way. */
function program([name, act]: ActingProgram, moment: 'about to begin' | 'under way'): Kind {
  const isMeant = (program: string) => program === name || new RegExp(`^${name}_\\d+_`).test(program)
  const lieInWait = (strike: () => void) => {
    const run = { strikes: 0, failed: false }
    const hit = () => {
      run.strikes += 1
      strike()
    }
    const { start } = Session.prototype
    vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, program, inputs, place) {
      if (place !== STRUCK || !isMeant(program)) return start.call(this, program, inputs, place)
      const isFirst = run.strikes === 0
      if (isFirst && moment === 'about to begin') hit()
      const end = start.call(this, program, inputs, place)
      if (isFirst && moment === 'under way') {
        pause(UNDER_WAY_MS)
        hit()
      }
      return () => {
        try {
          return end()
        } catch (error) {
          run.failed = true
          throw error
        }
      }
    })
    return run
  }
  return { name: `${name}, ${moment}`, act, lieInWait }
}

/** A call of a session, in which it drops places itself. */
function inCall<R>(
  run: { -readonly [K in keyof StruckRun]: StruckRun[K] },
  strike: () => void,
  session: Session,
  call: () => R,
): R {
  if (run.strikes > 0) return call()
  run.strikes += 1
  strike()
  run.failed = true
  const result = call()
  run.failed = !session.places.includes(STRUCK)
  return result
}

const FETCH: Kind = {
  ...{ name: 'the fetch of a gradient', act: step },
  lieInWait(strike) {
    const run = { strikes: 0, failed: false }
    const { readAt } = Session.prototype
    vi.spyOn(Session.prototype, 'readAt').mockImplementation(function (this: Session, place, ...names) {
      const call = () => readAt.call(this, place, ...names)
      return place === STRUCK ? inCall(run, strike, this, call) : call()
    })
    return run
  },
}

const SPREAD: Kind = {
  ...{ name: 'the spread of the adapter', act: step },
  lieInWait(strike) {
    const run = { strikes: 0, failed: false }
    const { spread } = Session.prototype
    vi.spyOn(Session.prototype, 'spread').mockImplementation(function (this: Session, ...names) {
      inCall(run, strike, this, () => spread.apply(this, names))
    })
    return run
  },
}

const WRITE: Kind = {
  ...{ name: 'the writing of a given adapter', act: underGiven },
  lieInWait(strike) {
    const run = { strikes: 0, failed: false }
    const { write } = Session.prototype
    vi.spyOn(Session.prototype, 'write').mockImplementation(function (this: Session, values, place) {
      inCall(run, strike, this, () => write.call(this, values, place))
    })
    return run
  },
}

const ACCUMULATING: ActingProgram = ['accumulate', step]
// one after the other, each finds its program as it has never run since the worker was taken back
const PROGRAMS: readonly ActingProgram[] = [
  ['prepare', step],
  ['given', underGiven],
  ACCUMULATING,
  ['decode', sample],
  ['divergence', (learner, events) => learner.divergences(learner.adapter(), null, events)],
  ['score', (learner, events) => learner.score(events)],
]

/** Programs alone: nothing else needs memory for long. */
export const PROGRAMS_ABOUT_TO_BEGIN: readonly Kind[] = PROGRAMS.map((each) => program(each, 'about to begin'))

/** And what takes no time at a worker. */
export const ABOUT_TO_BEGIN: readonly Kind[] = [...PROGRAMS_ABOUT_TO_BEGIN, FETCH, SPREAD, WRITE]

export const UNDER_WAY: readonly Kind[] = PROGRAMS.map((each) => program(each, 'under way'))

/** One of all. */
export const ACCUMULATE: Kind = program(ACCUMULATING, 'under way')

const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
