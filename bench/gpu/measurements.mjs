// The steps' work. Each is a function of a context and the seconds that it has, and returns the fields of its line;
// `error` among them says what went wrong, beside what was found nevertheless.
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { probeTensorFlow } from '../../dist/cli/doctor/tensorflow.js'
import { CardWatch, cards, peakOf } from './card.mjs'
import { makeJob, rates } from './job.mjs'
import { runFor } from './process.mjs'

/**
 * @typedef Context
 * @property work    a folder for models, jobs and programs that XLA has compiled
 * @property python  of PyTorch's side
 * @property peak    of the card in TFLOP/s; null: by its name
 * @property device  what `device` has found, once it has run
 * @property log     is told what programs write
 */

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
/** What tests/golden is compared within on a CPU in f32: gradients, and everything else. */
const BOUNDS = { gradients: 2e-5, rest: 1e-5 }
const MEASURES = ['log_probs', 'log_probs_shared', 'loss', 'delta', 'grad_norm', 'trained_adapter', 'gradients']

/** What TensorFlow registers, the cards by their own word, PyTorch, and what doctor finds. */
export async function device({ python, log }, seconds) {
  const { lines, problem } = await runFor(seconds, [process.execPath, here('../../dist/cli.js'), 'doctor', '--json'], {
    log,
  })
  const probe = await probeTensorFlow(false)
  const torch = await torchOf(python, seconds)
  const findings = lines.at(-1)?.checks ?? []
  return {
    gpus: probe.loaded ? probe.devices.filter((name) => name.startsWith('GPU:')) : [],
    ...{ tensorflow: probe.loaded ? probe.version : null, torch, cards: cards() },
    doctor: findings.map(({ name, status, detail }) => `${status} ${name}: ${detail}`),
    // doctor ends with 1 if something is wrong, and has said what
    ...(probe.loaded ? {} : { error: probe.reason }),
    ...(findings.length > 0 ? {} : { error: problem ?? 'doctor said nothing' }),
  }
}

/** Version of PyTorch and of its CUDA, and whether that works; null without PyTorch. */
async function torchOf(python, seconds) {
  const ask =
    'import json, torch; print(json.dumps({"version": torch.__version__, "cuda": torch.version.cuda, "works": torch.cuda.is_available()}))'
  const { lines } = await runFor(seconds, [python, '-c', ask])
  return lines.at(-1) ?? null
}

/** Against TRL, transformers and PEFT. @param options  of programs/golden.mjs */
export const golden =
  (...options) =>
  async ({ log }, seconds) => {
    const { lines, problem } = await runGolden(options, seconds, log)
    const worst = Object.fromEntries(
      MEASURES.map((name) => [name, Math.max(...lines.flatMap((line) => line[name] ?? []))]).filter(
        ([, value]) => value >= 0,
      ),
    )
    // other types of numbers round more: their distances say how much
    const whole = !options.includes('bf16') && !options.includes('--tf32')
    const within = Object.entries(worst).every(([name, value]) => value <= (BOUNDS[name] ?? BOUNDS.rest))
    const far = whole && !within ? 'further from the golden runs than rounding explains' : null
    const error = problem ?? far
    return { worst, ...(whole ? { within } : {}), parts: lines, ...(error ? { error } : {}) }
  }

const runGolden = (options, seconds, log) =>
  runFor(seconds, [process.execPath, here('programs/golden.mjs'), ...options], { log })

/** The same ten steps in two processes: the same bytes of the adapter? */
export const repeat =
  (...options) =>
  async ({ log }, seconds) => {
    const hashes = []
    for (let i = 0; i < 2; i++) {
      const { lines, problem } = await runGolden(['--part', 'ten steps', ...options], seconds / 2, log)
      if (problem) return { error: problem }
      hashes.push(lines[0].adapter_sha256)
    }
    const same = hashes[0] === hashes[1]
    return { same, adapter_sha256: hashes[0], ...(same ? {} : { error: 'another adapter the second time' }) }
  }

/** bcod's training steps. @param of  as for `makeJob` @param set  settings beside those of the job */
export const bcod =
  (of, ...set) =>
  (context, seconds) => {
    const cache = join(context.work, 'xla')
    const command = ({ path }) => [
      ...[process.execPath, here('programs/train.mjs'), path, cache],
      ...set.flatMap((setting) => ['--set', setting]),
    ]
    return train('bcod', of, command, context, seconds)
  }

/** The same steps in PyTorch. @param options  of programs/torch_side.py */
export const torch =
  (of, ...options) =>
  async (context, seconds) => {
    const { python } = context
    const found = context.device?.torch ?? (await torchOf(python, seconds))
    if (!found) return { refused: `${python} has no PyTorch; --python PATH names one that has` }
    if (!options.includes('cpu') && !found.works) return { refused: `PyTorch ${found.version} finds no GPU` }
    const command = ({ path }) => [python, '-Bu', here('programs/torch_side.py'), path, ...options]
    return train('torch', of, command, context, seconds)
  }

/** What a training program tells, and the card beside it. */
async function train(side, of, commandFor, { work, peak, log }, seconds) {
  const began = performance.now()
  const made = makeJob(work, of)
  const watch = new CardWatch()
  const left = seconds - (performance.now() - began) / 1000
  const { lines, problem } = await runFor(left, commandFor(made), { log })
  watch.stop()
  const eventsOf = (...names) => lines.filter(({ event }) => names.includes(event))
  const told = (name) => {
    const { event, at, ...rest } = eventsOf(name)[0] ?? {}
    return rest
  }
  const [measured, compiled] = [eventsOf('step'), eventsOf('compiled')]
  const from = measured.length > 0 ? measured[0].at - 1000 * measured[0].seconds : Date.now()
  const report = watch.report(from, measured.at(-1)?.at ?? Date.now())
  const known = peak ?? peakOf(cards()[0]?.name ?? '')
  const { shape, workload = 'plain', batch = 8 } = of
  return {
    ...{ side, shape, workload, batch },
    ...told('loaded'),
    ...(compiled.length > 0 ? { first_steps_s: compiled.reduce((sum, line) => sum + line.seconds, 0) } : {}),
    ...(compiled.length > 0 ? { block_shapes: compiled.map(({ tokens }) => tokens) } : {}),
    ...(measured.length > 0 ? rates(made.job, measured, known) : {}),
    ...(known === null ? {} : { peak_tflops: known }),
    ...(report.length > 0 ? { cards: report } : {}),
    losses: eventsOf('warm', 'step').map(({ loss }) => loss),
    ...told('done'),
    ...(problem ? { error: problem } : {}),
  }
}

/** The same steps at one place and at several: how much faster, and whether the bits are the same. */
export const places =
  (of, devices, ...set) =>
  async (context, seconds) => {
    const wanted = typeof of === 'function' ? of(context.device) : of
    const one = await bcod(wanted, 'devices=GPU:0', ...set)(context, seconds / 2)
    if (one.error) return one
    const several = await bcod(wanted, `devices=${devices}`, ...set)(context, seconds / 2)
    if (several.error) return several
    const same = one.adapter_sha256 === several.adapter_sha256
    return {
      ...{ one, several, speed_up: several.tokens_per_s / one.tokens_per_s, same },
      ...(same ? {} : { error: 'another adapter than at one place' }),
    }
  }

/**
 * Whether both sides compute the same: the losses of a tiny model's steps in f32, from one adapter. Without a GPU for
 * PyTorch it computes on the CPU.
 */
export async function agree(context, seconds) {
  const of = { shape: 'tiny', steps: 5 }
  const ours = await bcod(of, 'model.dtype=f32', 'bco.mode=trl', 'ratio.mode=off')(context, seconds / 2)
  if (ours.error) return ours
  const where = context.device?.torch?.works ? 'cuda' : 'cpu'
  const theirs = await torch(of, '--dtype', 'f32', '--device', where)(context, seconds / 2)
  if (theirs.error || theirs.refused) return theirs
  const apart = Math.max(...ours.losses.map((loss, i) => Math.abs(loss / theirs.losses[i] - 1)))
  const same = ours.losses.length === theirs.losses.length && apart <= BOUNDS.rest
  return { apart, bcod: ours, torch: theirs, ...(same ? {} : { error: 'the sides have come to other losses' }) }
}
