// Measures bcod on this machine's GPUs, or on its CPU what needs none: numbers against tests/golden, speed against
// PyTorch in the same run, memory, and whether the same bits come out. A line of JSON for each step as soon as it has
// ended. docs/performance.md ("On a GPU: measure it") says what the fields are.
//
//   node bench/gpu/run.mjs [--only STEP,…] [--skip STEP,…] [--limit SECONDS] [--out FILE] [--list]
//                          [--python python3] [--peak TFLOP/s] [--work DIR] [--log FILE]
//
// --limit: no step begins after so many seconds, and none goes on. --python has PyTorch (node bench/trl/environment.mjs
// makes one for a CPU). --work keeps models and what XLA compiles. --log gets all that programs write. The exit code is 1
// if a step failed, or one that was asked for by name was refused.
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { device } from './measurements.mjs'
import { sayLine, sequence } from './sequence.mjs'
import { STEPS, stepsNamed } from './steps.mjs'

const { values: flags } = parseArgs({
  options: {
    only: { type: 'string' },
    skip: { type: 'string', default: '' },
    limit: { type: 'string', default: 'Infinity' },
    out: { type: 'string' },
    list: { type: 'boolean', default: false },
    python: { type: 'string', default: process.env.PYTHON ?? 'python3' },
    peak: { type: 'string' },
    work: { type: 'string' },
    log: { type: 'string' },
  },
})
if (flags.list) {
  for (const { name, seconds, gpus, tells } of STEPS)
    console.log(`${name.padEnd(22)} ${String(seconds).padStart(4)} s ${['      ', '1 GPU ', '2 GPUs'][gpus]}  ${tells}`)
  process.exit(0)
}
const usage = (error) => {
  console.error(`bench-gpu: ${error.message}`)
  process.exit(2)
}
const number = (name) => {
  const value = Number(flags[name])
  if (!(value > 0)) usage(new Error(`--${name} is a number above 0`))
  return value
}
const [limit, peak] = [number('limit'), flags.peak === undefined ? null : number('peak')]
const wanted = namedSteps()

const work = flags.work ?? mkdtempSync(join(tmpdir(), 'bcod-bench-gpu-'))
mkdirSync(join(work, 'models'), { recursive: true })
if (flags.work === undefined) process.on('exit', () => rmSync(work, { recursive: true, force: true }))
// ends the program that runs as well
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130))
if (flags.out !== undefined) writeFileSync(flags.out, '')
const log = flags.log === undefined ? () => {} : (text) => appendFileSync(flags.log, text)

let failed = false
const context = { work, python: flags.python, peak, log, device: null }
for await (const line of sequence(wanted, { context, device, limit })) {
  const text = JSON.stringify(line)
  console.log(text)
  if (flags.out !== undefined) appendFileSync(flags.out, `${text}\n`)
  sayLine(line)
  failed ||= line.error !== undefined || (line.refused !== undefined && flags.only !== undefined)
}
if (failed) process.exitCode = 1

function namedSteps() {
  const list = (text) => text.split(',').filter((name) => name !== '')
  try {
    const skipped = stepsNamed(list(flags.skip))
    return stepsNamed(flags.only === undefined ? undefined : list(flags.only)).filter((step) => !skipped.includes(step))
  } catch (error) {
    return usage(error)
  }
}
