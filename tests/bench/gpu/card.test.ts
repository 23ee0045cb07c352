import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CardWatch, cardReport, cards, peakOf } from '../../../bench/gpu/card.mjs'

test('memory is the highest at any time, load the mean over the measured steps, of each card by itself', () => {
  const row = (at: number, index: number, mib: number, busy: number) => ({ at, index, mib, busy, mhz: 1000, watt: 300 })
  const rows = [row(0, 0, 900, 0), row(10, 0, 500, 80), row(20, 0, 600, 90), row(30, 0, 700, 0), row(15, 1, 20, 4)]
  expect(cardReport(rows, 10, 20)).toEqual([
    { peak_mib: 900, busy_percent: 85, sm_mhz: 1000, watt: 300 },
    { peak_mib: 20, busy_percent: 4, sm_mhz: 1000, watt: 300 },
  ])
})

test('a card that says nothing of its load, or not within the measured steps, has none', () => {
  const row = { at: 5, index: 0, mib: 100, busy: Number.NaN, mhz: Number.NaN, watt: 70 }
  expect(cardReport([row], 0, 10)).toEqual([{ peak_mib: 100, busy_percent: null, sm_mhz: null, watt: 70 }])
  expect(cardReport([row], 6, 10)).toEqual([{ peak_mib: 100, busy_percent: null, sm_mhz: null, watt: null }])
  expect(cardReport([], 0, 10)).toEqual([])
})

// NVIDIA's data sheets: bf16 without sparsity
test.each([
  ['NVIDIA H200', 989],
  ['NVIDIA H100 80GB HBM3', 989],
  ['NVIDIA H100 PCIe', 756],
  ['NVIDIA A100-SXM4-80GB', 312],
  ['NVIDIA L4', 121],
  ['NVIDIA L40S', 362],
  ['Some other card', null],
])('the peak of %s', (name, peak) => {
  expect(peakOf(name)).toBe(peak)
})

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bcod-smi-'))
})
afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true })
})

/** Puts a program first on PATH that writes what nvidia-smi writes. */
function standInSmi(script: string) {
  const path = join(folder, 'nvidia-smi')
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  vi.stubEnv('PATH', `${folder}:${process.env.PATH}`)
}

test('cards are asked by name, driver and memory', () => {
  standInSmi('echo "NVIDIA H200, 580.95, 143771"; echo "NVIDIA H200, 580.95, 143771"')
  const card = { name: 'NVIDIA H200', driver: '580.95', memory_mib: 143_771 }
  expect(cards()).toEqual([card, card])
})

test('there is no card without nvidia-smi, nor without a driver', () => {
  vi.stubEnv('PATH', folder)
  expect(cards()).toEqual([])
  standInSmi('echo "NVIDIA-SMI has failed"; exit 9')
  expect(cards()).toEqual([])
})

test('a watch takes what is said until it is stopped, and none without nvidia-smi', async () => {
  standInSmi('echo "0, 2048, 97, 1980, [N/A]"; exec sleep 600')
  const watch = new CardWatch()
  await vi.waitFor(() => expect(watch.report(0, Number.MAX_VALUE)).toHaveLength(1))
  watch.stop()
  expect(watch.report(0, Number.MAX_VALUE)).toEqual([{ peak_mib: 2048, busy_percent: 97, sm_mhz: 1980, watt: null }])
  vi.stubEnv('PATH', join(folder, 'none'))
  const none = new CardWatch()
  none.stop()
  expect(none.report(0, Number.MAX_VALUE)).toEqual([])
})
