import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { Side } from '../../src/gate/check.js'
import { probeCheck, readProbe, requireRows } from '../../src/gate/probe.js'
import { subjectOf } from './subject.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-probe-'))
afterAll(() => rmSync(directory, { recursive: true }))
const path = join(directory, 'taste.jsonl')

const pair = (chosen: number, rejected: number, more: object = {}) => ({
  prompt_tokens: [1, 2],
  chosen_tokens: [chosen],
  rejected_tokens: [rejected],
  ...more,
})

function probeOf(...rows: readonly object[]) {
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return readProbe(path, { text: null, vocabSize: 100, maxLength: 8 })
}

/** A model whose log-probability of a completion is that of its token. */
const run = async (
  logps: Readonly<Partial<Record<Side, Readonly<Record<number, number | null>>>>>,
  rows: readonly object[],
  tolerance = 1,
  onlyIfSpoken = false,
) =>
  probeCheck(await probeOf(...rows), { tolerance, onlyIfSpoken }).run(
    subjectOf({
      logps: async (side, pairs) =>
        pairs.map(({ completionTokens: [token] }) => logps[side]![token as number] as number | null),
    }),
  )

const base = { 10: -5, 11: -6, 20: -7, 21: -7, 30: -4, 31: -6 }
const ROWS = [pair(10, 11), pair(20, 21, { name: 'second' }), pair(30, 31)]

describe('a probe', () => {
  it("is the mean of the candidate's margins less the base's, with Student's interval", async () => {
    // margins of the base 1, 0, 2; of the candidate 2, −1, 5: gains 1, −1, 3, s² = 4, t of 2 degrees of freedom 4.3027
    const candidate = { 10: -4, 11: -6, 20: -8, 21: -7, 30: -3, 31: -8 }
    const found = await run({ base, live: base, candidate }, ROWS)
    const half = 4.302652729911275 * Math.sqrt(4 / 3)
    expect(found).toMatchObject({ outcome: 'refused', value: 1, bound: -1, reference: 'base' })
    expect(found.low).toBeCloseTo(1 - half, 8)
    expect(found.high).toBeCloseTo(1 + half, 8)
    expect(found.detail).toBe('3 pairs; mean margin: candidate 2.00, live 1.00, base 1.00; lowest: second (-1.00)')
  })

  it('that the device has no memory for cannot be judged', async () => {
    await expect(run({ base, live: base, candidate: { ...base, 21: null } }, ROWS)).rejects.toMatchObject({
      code: 'DEVICE_OUT_OF_MEMORY',
    })
  })

  it('passes if the lower end is above the tolerance below the base, and not on it', async () => {
    const lower = Object.fromEntries(
      Object.entries(base).map(([token, logp]) => [token, token.endsWith('0') ? logp - 1 : logp]),
    )
    expect(await run({ base, live: base, candidate: lower }, ROWS, 1.01)).toMatchObject({
      outcome: 'passed',
      value: -1,
    })
    expect(await run({ base, live: base, candidate: lower }, ROWS, 1)).toMatchObject({ outcome: 'refused', low: -1 })
    expect(await run({ base, live: base, candidate: base }, ROWS, 0.5)).toMatchObject({ outcome: 'passed', value: 0 })
  })

  it('counts rows by their weights', async () => {
    const candidate = { ...base, 10: -3 }
    const rows = [pair(10, 11, { weight: 3 }), pair(20, 21)]
    expect(await run({ base, live: base, candidate }, rows)).toMatchObject({ value: 1.5 })
  })

  it('refuses a candidate that gives a pair no probability, and names its line', async () => {
    const found = await run({ base, live: base, candidate: { ...base, 31: Number.NaN } }, ROWS)
    expect(found).toMatchObject({ outcome: 'refused', value: null, detail: 'line 3 has no probability' })
  })

  it('of the shipped set is skipped for a base that does not write like its answers', async () => {
    // chosen answers of one token each: −5, −7 and −4, so −5.33 nats per token
    const candidate = { ...base, 10: -50 }
    expect(await run({ base, live: base, candidate }, ROWS, 1, true)).toMatchObject({
      outcome: 'skipped',
      detail: 'the base does not write like this: -5.3 nats per token of the chosen answers',
    })
    const fluent = { ...base, 20: -5 }
    expect(await run({ base: fluent, live: base, candidate }, ROWS, 1, true)).toMatchObject({ outcome: 'refused' })
  })

  it('cannot be answered if the base gives none', async () => {
    const broken = run({ base: { ...base, 31: Number.NaN }, live: base, candidate: base }, ROWS)
    await expect(broken).rejects.toMatchObject({ code: 'MODEL_NONFINITE' })
  })
})

describe('a probe file', () => {
  it('gives the check its name', async () => {
    expect(probeCheck(await probeOf(...ROWS), { tolerance: 1 }).name).toBe('probe:taste')
  })

  it('with a bad row is an error with file and line', async () => {
    const bad = probeOf(pair(10, 11), { prompt_tokens: [1], chosen_tokens: [2] })
    await expect(bad).rejects.toMatchObject({
      line: `PAIRS_INVALID ${path}:2 rejected: expected text, messages or rejected_tokens, got nothing`,
    })
    await expect(probeOf(pair(10, 400))).rejects.toMatchObject({
      code: 'PAIRS_INVALID',
      place: `${path}:1 rejected_tokens[0]`,
    })
  })

  it('loses pairs that the model does not take whole; what is left must have an interval', async () => {
    const long = pair(10, 11, { prompt_tokens: Array.from({ length: 8 }, () => 1) })
    const probe = await probeOf(pair(10, 11), long)
    expect(probe).toMatchObject({ tooLong: 1, rows: [{ line: 1 }] })
    expect(() => requireRows(probe, path)).toThrow(
      expect.objectContaining({ line: `GATE_PROBE_SHORT ${path}: it has 1 pairs; 1 are longer than the model takes` }),
    )
  })

  it('of text needs a tokenizer', async () => {
    await expect(probeOf({ prompt: 'a', chosen: 'b', rejected: 'c' })).rejects.toMatchObject({
      code: 'TEXT_WITHOUT_TOKENIZER',
    })
  })
})
