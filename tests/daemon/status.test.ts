import { expect, test } from 'vitest'
import { liveChecks, readyChecks, type StatusParts, statusOf } from '../../src/daemon/status.js'
import { verdict } from '../../src/server/health.js'
import { ArmVotes } from '../../src/streams/arm-votes.js'
import { History } from '../../src/telemetry/history.js'
import { appliedStep } from '../support/applied-step.js'

const REGISTRY = {
  ...{ generation: 3, pinned: null, frozen: false, states: {} },
  aliases: { candidate: null, canary: null, live: 'v00000007', previous: null },
}

const ARMS = {
  isOn: true,
  trial: null,
  period: { control: new ArmVotes(), live: new ArmVotes() },
  uplift: { value: 0.02, low: -0.01, high: 0.05, began: 1_700_000_000_000 },
}

const assigned = (partitions: readonly number[], total: number) => ({ partitions, total })

/** A daemon that runs on both partitions of its topic and has applied a step. */
const parts = (changes: object = {}): StatusParts =>
  ({
    lifecycle: 'running',
    reader: {
      assignment: assigned([0, 1], 2),
      lag: () => new Map([[0, 3]]),
      uncommitted: () => new Map([[1, { records: 2, seconds: 1.5 }]]),
      paused: false,
    },
    state: { held: { heldCount: 4 }, waiting: 5, deadLetters: { size: 6 }, arms: ARMS },
    canary: null,
    guards: { tripped: 'kl' },
    history: new History(),
    isTrainingPaused: true,
    learner: { info: {}, busyMs: 0 },
    trainer: { step: 7, lastStep: appliedStep(7, [0]), lastStepTime: 1_700_000_000_250 },
    publisher: { version: 'v00000007' },
    watch: { state: REGISTRY },
    servers: { servers: { 'gpu-1:8000': { version: 'v00000007', problem: null } } },
    ...changes,
  }) as unknown as StatusParts

test('a status has the figures of the last step and of what waits', () => {
  expect(statusOf(parts())).toEqual({
    ...{ state: 'running', ready: true, not_ready: [], step: 7, last_step_time: 1_700_000_000.25 },
    ...{ delta: 0.1, loss: 0.7, reward_up_mean: 0, reward_down_mean: null, weight_mean: null },
    ...{ classifier_ready: false, classifier_trust: 0, adapter: 'v00000007' },
    servers: { 'gpu-1:8000': { version: 'v00000007', problem: null } },
    arms: {
      control: { votes: 0, users: 0, up_ratio: null },
      ...{ live: { votes: 0, users: 0, up_ratio: null }, canary: null },
    },
    ...{ uplift: { value: 0.02, low: -0.01, high: 0.05, since: 1_700_000_000 }, canary: null },
    adapters: {
      generation: 3,
      candidate: null,
      canary: null,
      live: 'v00000007',
      previous: null,
      pinned: null,
      frozen: false,
    },
    ...{ lag: { 0: 3 }, uncommitted: { 1: { records: 2, seconds: 1.5 } }, held_back: 4, waiting: 5 },
    ...{
      dead_letters: {},
      dead_letters_waiting: 6,
      paused: false,
      training_paused: true,
      guard: 'kl',
      partitions: [0, 1],
    },
  })
})

test('before the model is loaded there are no figures', () => {
  expect(statusOf(parts({ trainer: null, publisher: null, watch: null, learner: null }))).toMatchObject({
    ...{ ready: false, not_ready: [{ name: 'model', detail: 'the model is not loaded' }] },
    ...{
      step: 0,
      last_step_time: null,
      delta: null,
      loss: null,
      classifier_ready: null,
      adapter: null,
      adapters: null,
    },
  })
})

const failing = (changes: object) => verdict(readyChecks(parts(changes))).failing

test.each([
  ['it runs on all partitions', {}, []],
  ['reading is paused', { lifecycle: 'paused' }, []],
  ['it joins', { lifecycle: 'joining' }, ['running']],
  ['some partitions are elsewhere', { reader: { assignment: assigned([0], 2) } }, ['assignment']],
  ['the topic has no partitions', { reader: { assignment: assigned([], 0) } }, ['assignment']],
  ['nothing is assigned', { reader: { assignment: null } }, ['assignment']],
])('ready when %s: what is missing is named', (_, changes, missing) => {
  expect(failing(changes).map(({ name }) => name)).toEqual(missing)
})

test('a failed daemon and one whose learner is in one call for over ten minutes are not alive', () => {
  const alive = (changes: object) => verdict(liveChecks(parts(changes))).ok
  expect(alive({})).toBe(true)
  expect(alive({ learner: { busyMs: 10 * 60_000 } })).toBe(true)
  expect(alive({ learner: { busyMs: 10 * 60_000 + 1 } })).toBe(false)
  expect(alive({ lifecycle: 'failed' })).toBe(false)
})
