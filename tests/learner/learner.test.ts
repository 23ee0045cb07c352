import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import type { TrainingEvent } from '../../src/events/types.js'
import { Learner } from '../../src/learner/learner.js'
import { openSafetensors } from '../../src/model/safetensors.js'
import { relativeDistance } from '../support/compare.js'
import { trainingEvent } from '../support/events.js'

const golden = JSON.parse(readFileSync('tests/golden/tiny_llama.json', 'utf8')) as {
  batches: GoldenBatch[]
  train: { torch_float64: unknown }
} & Record<string, unknown>
interface GoldenBatch {
  prompt_input_ids?: number[][]
  completion_input_ids: number[][]
  completion_attention_mask: number[][]
  completion_labels: number[][]
  label: boolean[]
}

console.log(Object.keys(golden), JSON.stringify(golden).slice(2000, 9000))
test('x', () => {})
void [describe, loadConfig, Learner, openSafetensors, relativeDistance, trainingEvent, expect]
export type { TrainingEvent }
