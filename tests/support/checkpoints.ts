import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Adapter } from '../../src/adapters/weights/adapter.js'
import type { Snapshot } from '../../src/checkpoint/snapshot.js'
import { BcodError } from '../../src/errors.js'

const PREFIX = 'base_model.model.model.layers.0.self_attn.q_proj'

/** An adapter of one module whose numbers follow from `seed`. */
export const sampleAdapter = (seed: number, size = 6): Adapter => ({
  r: 2,
  alpha: 4,
  rslora: false,
  targets: ['q_proj'],
  baseModel: 'tiny',
  tensors: new Map([
    [
      `${PREFIX}.lora_A.weight`,
      { shape: [2, size], data: Float32Array.from({ length: 2 * size }, (_, i) => seed + i) },
    ],
    [
      `${PREFIX}.lora_B.weight`,
      { shape: [size, 2], data: Float32Array.from({ length: 2 * size }, (_, i) => seed - i) },
    ],
  ]),
})

export const EMPTY_SHA256 = createHash('sha256').digest('hex')

export const sampleSnapshot = (step: number, changes: Partial<Snapshot> = {}): Snapshot => ({
  step,
  revision: 0,
  fence: 1,
  parent: null,
  topic: 'feedback',
  clusterId: 'cluster',
  positions: { 0: step * 10, 1: 7 },
  lastRecords: { 0: { offset: step * 10 - 1, sha256: EMPTY_SHA256 } },
  identities: { base: 'base', tokenizer: null, config: 'config' },
  resolved: { executor: 'graph', threads: 2 },
  seed: 42,
  journal: { bytes: 0, sha256: EMPTY_SHA256 },
  adapter: sampleAdapter(step),
  trainerState: new Map([['delta', { dtype: 'f64', shape: [], data: Float64Array.of(step / 3) }]]),
  pending: { held: [[step, new Uint8Array([1, 2])]], ledger: {} },
  extra: { note: 'text' },
  ...changes,
})

/** A directory that goes away with the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-checkpoint-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The coded error that an action ends with. */
export async function errorOf(action: () => unknown): Promise<BcodError> {
  try {
    await action()
  } catch (error) {
    if (error instanceof BcodError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}
