import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { GateReport } from '../../src/adapters/versions/gate-report.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { adapterVerbs } from '../../src/daemon/adapters/adapter-verbs.js'
import type { Comparison } from '../../src/gate/comparison.js'
import { Learner } from '../../src/learner/learner.js'
import { verifyLineage } from '../../src/replay/verify.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { trainingEvent } from '../support/events.js'
import { startLocalLearner } from '../support/local-learner.js'
import { trainedIds, voteIds, votes } from './feedback.js'
import { place, records } from './in-process.js'

test('with the learner itself: votes become steps, checkpoints and a live adapter, and the next daemon continues there', async () => {
  const { start, journal, live } = place()
  const first = start(undefined, { startLearner: startLocalLearner })
  await first.until(({ state }) => state === 'running')
  first.log.append(records(0, 8))
  await first.until(({ adapter }) => adapter === 'v00000002')
  expect(first.log.committed).toBe(8)
  await first.stop()

  const second = start(undefined, { startLearner: startLocalLearner })
  await second.until(({ state, adapter }) => state === 'running' && adapter === 'v00000002')
  second.log.append(records(8, 4))
  const status = await second.until(({ adapter }) => adapter === 'v00000003')
  expect(status.delta).not.toBeNull()
  await second.stop()
  expect(live()).toBe('v00000003')
  expect(journal().map(({ step }) => step)).toEqual([1, 2, 3])
  expect(trainedIds(journal())).toEqual(voteIds(0, 12))
  expect(new Set(journal().map(({ adapter_sha256 }) => adapter_sha256)).size).toBe(3)
}, 180_000)

test('with the learner itself: the gate compares a version with the live one on held-out votes', async () => {
  const settings = { seed: 2, 'eval.holdOut': 0.5, 'gate.holdOutMin': 2, 'gate.tolerance': 10, 'optimizer.lr': 0.01 }
  const { config, start, journal } = place(settings)
  const { daemon, log, until, stop } = start(undefined, { startLearner: startLocalLearner })
  await until(({ state }) => state === 'running')
  log.append(records(0, 32))
  await until(({ step, waiting }) => step >= 2 && waiting < config.batch.size)
  daemon.flush()
  await until(({ waiting }) => waiting === 0)
  const { adapter: newest } = await daemon.checkpoint()
  await stop()

  const report = JSON.parse(readFileSync(join(config.adapters.dir, newest!, 'gate.json'), 'utf8'))
  const trained = trainedIds(journal())
  const heldOut = votes(0, 32).flatMap(({ value }) => {
    const { id, data } = JSON.parse(value)
    return trained.includes(id) ? [] : [data]
  })
  expect(heldOut.length).toBeGreaterThan(5)

  /** Rewards under a version, as the learner that has it for its own scores them. */
  const rewards = (version: string) => {
    const lora = { ...config.lora, init: join(config.adapters.dir, version) }
    const learner = new Learner({ ...config, lora }, { scoring: true, training: false })
    const pairs = heldOut.map(({ prompt_tokens, completion_tokens }) => ({
      ...{ promptTokens: prompt_tokens, completionTokens: completion_tokens },
    }))
    const { policy, reference } = learner.score(pairs)
    learner.dispose()
    return policy.map((logp, i) => config.bco.beta * (logp - reference[i]!))
  }
  const aucOf = (version: string) => {
    const scored = rewards(version).map((reward, i) => ({ reward, label: heldOut[i].label }))
    const pairs = scored.flatMap((up) =>
      up.label ? scored.filter(({ label }) => !label).map((down) => [up, down]) : [],
    )
    return pairs.filter(([up, down]) => up!.reward > down!.reward).length / pairs.length
  }
  const found = report.checks.find(({ name }: { name: string }) => name === 'holdout_auc')
  expect(found).toMatchObject({ outcome: 'passed', reference: report.parent })
  expect(found.value).toBeCloseTo(aucOf(newest!) - aucOf(report.parent), 10)
}, 180_000)

test('with the learner itself: any version is gated again on demand, also while training is paused', async () => {
  const probe = join(temporaryDirectory(), 'ours.jsonl')
  const row = { prompt_tokens: [1, 2, 3], chosen_tokens: [4, 5], rejected_tokens: [6, 7] }
  writeFileSync(probe, `${JSON.stringify(row)}\n${JSON.stringify({ ...row, prompt_tokens: [1, 9] })}\n`)
  const { start, live, config } = place({ 'gate.probes': [probe], 'gate.probeTolerance': 100 })
  const { daemon, log, until, telemetry } = start(undefined, { startLearner: startLocalLearner })
  await until(({ state }) => state === 'running')
  log.append(records(0, 8))
  await until(({ adapter }) => adapter === 'v00000002')
  daemon.pauseTraining(true)
  const path = join(config.adapters.dir, 'v00000001', 'gate.json')
  const before = JSON.parse(readFileSync(path, 'utf8'))
  const report = await adapterVerbs(daemon.adapters)['adapters/gate']!({ version: 'v00000001' })
  expect(report).toMatchObject({ version: 'v00000001', parent: 'v00000002', outcome: 'passed' })
  // the same adapter and the same file give the same figures
  expect((report as GateReport).checks.map(({ name, value }) => [name, value])).toEqual(
    (before as GateReport).checks.map(({ name, value }) => [name, value]),
  )
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(report)
  expect(await telemetry.metrics.text()).toMatch(/^bcod_gate_duration_seconds_count 3$/m)

  // margins less the base's, of both: the base cancels
  const gained = (version: string) =>
    (JSON.parse(readFileSync(join(config.adapters.dir, version, 'gate.json'), 'utf8')) as GateReport).checks.find(
      ({ name }) => name === 'probe:ours',
    )?.value as number
  const asked = { version: 'previous', other: 'live' }
  const { margins } = (await adapterVerbs(daemon.adapters)['adapters/diff']!(asked)) as unknown as Comparison
  expect(margins).toMatchObject([{ probe: 'ours', pairs: 2 }])
  expect(margins[0]?.difference).toBeCloseTo(gained('v00000002') - gained('v00000001'), 6)
  expect(live()).toBe('v00000002')
})

test('with the learner itself: learning goes on from an older version as if nothing had come after it, and the replay follows', async () => {
  const { config, directory, start, journal, scheduler } = place({ 'journal.keepEvents': true, 'optimizer.lr': 0.01 })
  const { daemon, log, until, stop } = start(undefined, { startLearner: startLocalLearner })
  await until(({ state }) => state === 'running')
  for (const from of [0, 4, 8]) {
    log.append(records(from, 4))
    await until(({ adapter }) => adapter === `v0000000${from / 4 + 1}`)
  }
  const { registry } = daemon.adapters
  await registry.rollback({ to: 'v00000001' })
  await registry.resumeFrom('v00000001')
  const looks = setInterval(() => scheduler.advance(2_000), 50)
  onTestFinished(() => clearInterval(looks))
  await until(({ step, training_paused }) => step === 4 && !training_paused)
  log.append(records(12, 8))
  await until(({ adapter }) => adapter === 'v00000006')
  await stop()

  const store = new CheckpointStore(config.checkpoint.dir)
  const [then, resumed] = [(await store.ofStep(1)).snapshot, (await store.ofStep(4)).snapshot]
  expect(resumed.adapter).toEqual(then.adapter)
  const { 'lineage.abandoned': abandoned, ...state } = Object.fromEntries(resumed.trainerState)
  expect(state).toEqual(Object.fromEntries(then.trainerState))
  expect(abandoned?.data[0]).toBe(3)

  // a learner that never saw the steps between
  const control = new Learner(config)
  control.restore(then.adapter, then.trainerState)
  const hashes = [12, 16].map((from) => {
    const events = votes(from, 4).map(({ value }, i) => {
      const { data } = JSON.parse(value)
      const tokens = { promptTokens: data.prompt_tokens, completionTokens: data.completion_tokens }
      return trainingEvent(i, { ...tokens, label: data.label })
    })
    return control.trainStep(events).applied?.adapterSha256
  })
  control.dispose()
  const lines = journal()
  expect(lines.slice(4).map(({ adapter_sha256 }) => adapter_sha256)).toEqual(hashes)

  const summary = await verifyLineage({
    lineage: config.checkpoint.dir,
    out: join(directory, 'again'),
    openLearner: async () => new Learner(config),
  })
  expect(summary).toMatchObject({ steps: 6, events: 20, adapter_sha256: lines.at(-1)!.adapter_sha256 })
}, 180_000)

test('with the learner itself: a rate that is far too high trips the guard of the distance, a sound one does not', async () => {
  const guardWith = async (lr: number) => {
    const { start } = place({ 'optimizer.lr': lr, 'guard.klBudget': 0.1, 'guard.steps': 2 })
    const { log, until, stop } = start(undefined, { startLearner: startLocalLearner })
    await until(({ state }) => state === 'running')
    log.append(records(0, 32))
    const status = await until(({ guard, waiting }) => guard !== null || waiting === 0)
    await stop()
    return status
  }
  expect(await guardWith(1e-4)).toMatchObject({ guard: null, step: 8 })
  const { guard, step, training_paused: isPaused } = await guardWith(0.3)
  expect({ guard, isPaused }).toEqual({ guard: 'kl', isPaused: true })
  expect(step).toBeLessThan(8)
}, 180_000)
