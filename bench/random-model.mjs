// A model of random weights and events of given lengths, for measurements.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { huggingFaceConfig } from '../dist/cli/bench/shapes.js'
import { writeRandomModel } from '../dist/model/random-model.js'

/** The directory of a model with room for so many positions. It goes with the process. */
export function randomModel(shape, positions) {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-model-'))
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }))
  writeRandomModel(directory, huggingFaceConfig(shape, positions))
  return directory
}

/** An event of so many tokens, a quarter of them in the completion. Two of other numbers do not begin alike. */
export function eventOf(tokens, number, vocabSize) {
  const token = (i) => 3 + ((i * 7919 + number * 104_729) % (vocabSize - 3))
  const all = Array.from({ length: tokens }, (_, i) => token(i))
  const prompt = Math.round(tokens * 0.75)
  return {
    position: { topic: 'bench', partition: 0, offset: number },
    ...{ source: 'bench', id: String(number), subject: null, user: null, timestamp: 0, weight: 1 },
    ...{ label: number % 2 === 0, promptTokens: all.slice(0, prompt), completionTokens: all.slice(prompt) },
  }
}
