import { describe, expect, it } from 'vitest'
import type { Adapter } from '../../src/adapters/weights/adapter.js'
import { type LearnerCall, LearnerModel } from '../../src/gate/learner-model.js'
import { adapterOf, versionOf } from './subject.js'

const pair = (length: number) => ({ promptTokens: [1], completionTokens: Array.from({ length }, () => 2) })
const adapter = (value: number): Adapter => adapterOf({ q_proj: { a: [[value]], b: [[1]] } })
const firstOf = (given: Adapter | null) => given?.tensors.get('base_model.model.q_proj.lora_A.weight')?.data[0] ?? 0

function model(tokens = 8, places = 1) {
  const calls: [name: string, size: number][] = []
  const table = {
    logpsUnder: (given: Adapter | null, pairs: readonly unknown[]) => pairs.map(() => firstOf(given)),
    divergences: (given: Adapter, other: Adapter | null, pairs: readonly unknown[]) =>
      pairs.map(() => firstOf(given) - firstOf(other)),
    answersUnder: (_: Adapter | null, prompts: readonly (readonly number[])[]) => prompts,
    weightNorms: (modules: readonly string[]) => modules.map((name) => name.length),
  }
  const use = Array.from({ length: places }, () => ({ used: true }))
  const call = ((name: keyof typeof table, ...args: readonly unknown[]) => {
    if (name === ('device' as string)) return { places: [...use, { used: false }] }
    const list = args.find(Array.isArray) as readonly unknown[]
    calls.push([name, list.length])
    return (table[name] as (...all: readonly unknown[]) => unknown)(...args)
  }) as LearnerCall
  const options = { call, tokens, rows: 2, endIds: new Set<number>(), reference: adapter(-1) }
  return { model: new LearnerModel(options), calls }
}

const { signal } = new AbortController()
const [one, two, three] = [1, 2, 3].map((n) => versionOf(`v0000000${n}`, adapter(n)))

describe('what a gate has computed', () => {
  it('comes in calls of so many tokens, one pair at least', async () => {
    const { model: subject, calls } = model(8)
    const pairs = [pair(3), pair(3), pair(3), pair(20), pair(1)]
    expect(await subject.of(two!, one!, signal).divergences('live', pairs)).toEqual([1, 1, 1, 1, 1])
    expect(calls).toEqual([
      ['divergences', 2],
      ['divergences', 1],
      ['divergences', 1],
      ['divergences', 1],
    ])
    expect(await subject.of(two!, one!, signal).divergences('base', [pair(1)])).toEqual([2])
  })

  it('comes in calls that have work for all places', async () => {
    const { model: subject, calls } = model(8, 2)
    const of = subject.of(two!, one!, signal)
    expect(await of.divergences('live', [pair(3), pair(3), pair(3), pair(20), pair(1)])).toEqual([1, 1, 1, 1, 1])
    await of.answers('candidate', [[1], [2], [3], [4], [5]], 5)
    expect(calls).toEqual([
      ['divergences', 3],
      ['divergences', 2],
      ['answersUnder', 4],
      ['answersUnder', 1],
    ])
  })

  it('of the base and of what was a candidate is known already', async () => {
    const { model: subject, calls } = model(100)
    const pairs = [pair(1)]
    const first = subject.of(one!, null, signal)
    expect([await first.logps('candidate', pairs), await first.logps('base', pairs)]).toEqual([[1], [0]])
    const second = subject.of(two!, one!, signal)
    for (const [side, value] of [
      ['base', 0],
      ['live', 1],
      ['candidate', 2],
    ] as const)
      expect(await second.logps(side, pairs)).toEqual([value])
    expect(calls).toHaveLength(3)
    // pair by pair: of those that were there before nothing is asked
    expect(await second.logps('base', [pair(2), ...pairs])).toEqual([0, 0])
    expect(calls.at(-1)).toEqual(['logpsUnder', 1])
    // what is neither is forgotten
    subject.of(three!, two!, signal)
    await subject.of(one!, two!, signal).logps('candidate', pairs)
    expect(calls).toHaveLength(5)
  })

  it('of the reference is that of model.reference', async () => {
    const { model: subject } = model()
    expect(await subject.of(one!, null, signal).logps('reference', [pair(1)])).toEqual([-1])
  })

  it('of weights is read once, a layer at a time', async () => {
    const { model: subject, calls } = model()
    const modules = Array.from({ length: 9 }, (_, i) => 'm'.repeat(i + 1))
    const of = subject.of(one!, null, signal)
    expect(await of.weightNorms(modules)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await of.weightNorms(modules.slice(3, 5))).toEqual([4, 5])
    expect(calls).toEqual([
      ['weightNorms', 7],
      ['weightNorms', 2],
    ])
  })

  it('of prompts comes in as many rows as the decoder has', async () => {
    const { model: subject, calls } = model()
    expect(await subject.of(one!, null, signal).answers('candidate', [[1], [2], [3]], 5)).toEqual([[1], [2], [3]])
    expect(calls.map(([, rows]) => rows)).toEqual([2, 1])
  })

  it('ends between two calls if the gate is stopped', async () => {
    const { model: subject, calls } = model(1)
    const stop = new AbortController()
    const asked = subject.of(one!, null, stop.signal).logps('candidate', [pair(1), pair(1), pair(1)])
    stop.abort(new Error('stopped'))
    await expect(asked).rejects.toThrow('stopped')
    expect(calls.length).toBeLessThan(3)
  })
})
