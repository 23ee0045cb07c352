// What is measured, in the order of its worth: of a machine that is lent for minutes the first steps are worth most.
import { agree, bcod, device, golden, places, repeat, torch } from './measurements.mjs'

const B1 = { shape: 'llama-3.2-1b', steps: 12 }
const BF16 = 'model.dtype=bf16'
const SYSTEM = { ...B1, workload: 'system-1024' }
const MORE = { ...B1, batch: 32, steps: 8 }
const TINY = { shape: 'tiny', steps: 5 }
/** A packed batch for each of the places. */
const SPLIT = [BF16, 'batch.tokens=1280']

/**
 * `seconds`: its time limit; `gpus`: how many TensorFlow must have registered; `run`: a function of measurements.mjs.
 */
export const STEPS = [
  ['device', 90, 0, device, 'what TensorFlow registers, what the cards are, what doctor finds'],
  ['golden-graph', 150, 0, golden('--executor', 'graph'), 'losses, δ, gradients and the adapter against tests/golden'],
  ['golden-xla', 240, 0, golden('--executor', 'xla'), 'the same with XLA, which a GPU takes by itself'],
  ['bench-1b', 200, 1, bcod(B1, BF16), "the shape of Llama-3.2-1B in bf16, 8 votes a step, workload 'plain'"],
  ['torch-1b', 120, 1, torch(B1), 'the same steps in PyTorch'],
  ['bench-1b-system-1024', 200, 1, bcod(SYSTEM, BF16), 'votes behind one system prompt of 1,024 tokens'],
  ['torch-1b-system-1024', 120, 1, torch(SYSTEM), 'the same steps in PyTorch'],
  ['bench-1b-32', 200, 1, bcod(MORE, BF16), '32 votes a step'],
  ['torch-1b-32', 120, 1, torch(MORE), 'the same steps in PyTorch'],
  ['repeat', 120, 0, repeat('--executor', 'auto'), 'the same bits twice'],
  ['8b', 300, 1, bcod({ shape: 'llama-3.1-8b', steps: 3 }, BF16), 'what the shape of Llama-3.1-8B takes'],
  ['bench-1b-graph', 150, 1, bcod(B1, BF16, 'model.executor=graph'), 'without XLA'],
  ['bench-1b-again', 120, 1, bcod(B1, BF16), 'with the programs that bench-1b has compiled'],
  ['golden-tf32', 150, 1, golden('--executor', 'xla', '--tf32'), 'what TF32 changes'],
  ['golden-bf16', 150, 0, golden('--dtype', 'bf16'), 'what bf16 changes'],
  ['places', 400, 2, places(eightForEach, 'auto', ...SPLIT), 'all GPUs against one'],
  ['lanes', 400, 1, places({ ...B1, batch: 16 }, 'GPU:0,GPU:0', ...SPLIT), 'two places on one GPU against one'],
  ['bench-1b-all', 300, 1, bcod({ ...B1, same: false }, BF16), 'other votes in every step'],
  ['torch-1b-all', 120, 1, torch({ ...B1, same: false }), 'the same steps in PyTorch'],
  ['torch-1b-compiled', 240, 1, torch(MORE, '--compile'), '32 votes a step with torch.compile'],
  ['agree', 240, 0, agree, 'whether bcod and PyTorch come to the same losses'],
  ['bench-tiny', 90, 0, bcod(TINY), 'a model of four layers of 128'],
].map(([name, seconds, gpus, run, tells]) => ({ name, seconds, gpus, run, tells }))

function eightForEach({ gpus }) {
  return { ...B1, batch: 8 * gpus.length }
}

/** The steps of these names, in the order given; all of them without names. @throws Error for a name that is none */
export function stepsNamed(names) {
  if (names === undefined) return STEPS
  return names.map((name) => {
    const step = STEPS.find((each) => each.name === name)
    if (step === undefined) throw new Error(`no step ${name}; there are ${STEPS.map((each) => each.name).join(', ')}`)
    return step
  })
}
