// `make test-peft`: bcod's adapters in PEFT, and PEFT's in bcod. Both sides must give each completion the same
// log-probability. PEFT 0.21.2 and PyTorch run in the environment of bench/trl, which this builds if it is missing.
//
//   node tests/peft/run.mjs             compares, on the models of tests/golden
//   node tests/peft/run.mjs --fixture   writes tests/golden/peft_adapter{,_rslora}/ and peft_adapter.json anew
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PYTHON_VARIABLES, pythonEnvironment } from '../../bench/trl/environment.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))

const ALL = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
const TOLERANCE = 1e-4
/** The adapter must move a log-probability by this much, or it could as well not be there. */
const EFFECT = 0.1

/** Models, each with another shape of LoRA. */
const CASES = [
  { name: 'tiny_llama', lora: { r: 4, alpha: 8, rslora: false, targets: ALL } },
  { name: 'arch/qwen2', lora: { r: 8, alpha: 4, rslora: true, targets: ALL } },
  { name: 'arch/qwen3', lora: { r: 4, alpha: 8, rslora: false, targets: ['q_proj', 'v_proj'] } },
  {
    name: 'arch/llama3_scaled_untied',
    lora: { r: 16, alpha: 32, rslora: false, targets: ['o_proj', 'up_proj', 'down_proj'] },
  },
].map((each) => ({ ...each, model: `tests/golden/${each.name}` }))

const FIXTURES = {
  peft_adapter: { seed: 1, r: 4, alpha: 8, rslora: false, targets: ALL },
  peft_adapter_rslora: { seed: 2, r: 8, alpha: 4, rslora: true, targets: ['q_proj', 'v_proj', 'down_proj'] },
}

/** Token-id rows of different lengths, within the smallest vocabulary, the same every time. */
const rows = Array.from({ length: 12 }, (_, row) => {
  const draw = (length, salt) => Array.from({ length }, (_, i) => 3 + ((row * 7919 + i * 104_729 + salt) % 190))
  return { prompt_tokens: draw(3 + 2 * row, 11), completion_tokens: draw(2 + ((5 * row) % 13), 97) }
})

const say = (text) => console.error(`test-peft: ${text}`)
const python = pythonEnvironment()
const peft = (command, jobs) =>
  JSON.parse(
    execFileSync(python, ['tests/peft/peft_side.py', command], {
      input: JSON.stringify(jobs),
      env: { ...process.env, ...PYTHON_VARIABLES, PYTHONHASHSEED: '0' }, // the order of target_modules in the file
      stdio: ['pipe', 'pipe', 2],
      encoding: 'utf8',
    }),
  )

function bcod(...args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BCOD_')))
  return execFileSync(process.execPath, ['dist/cli.js', ...args], {
    env: { ...env, TF_CPP_MIN_LOG_LEVEL: '2' },
    stdio: ['ignore', 'pipe', 2],
    encoding: 'utf8',
  })
}

const jsonl = (path, values) => writeFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''))

/** bcod trains an adapter over the rows; from nothing, or from another. */
function train({ model, lora }, out, initAdapter) {
  const events = `${out}.jsonl`
  jsonl(
    events,
    rows.map((row, i) => ({ ...row, label: i % 3 !== 0 })),
  )
  const shape = Object.entries(lora).map(([key, value]) => `lora.${key}=${JSON.stringify(value)}`)
  const settings = ['optimizer.lr=0.02', 'batch.size=4', ...(initAdapter ? [] : shape)]
  const from = initAdapter ? ['--init-adapter', initAdapter] : []
  bcod('replay', '--model', model, '--events', events, '--out', out, ...from, ...settings.flatMap((s) => ['--set', s]))
  return join(out, 'adapter')
}

/** bcod's log-probabilities, in the form that PEFT's have. */
function score(model, adapter, scratch) {
  const [pairs, out] = [join(scratch, 'pairs.jsonl'), join(scratch, 'rows.jsonl')]
  jsonl(
    pairs,
    rows.map(({ prompt_tokens, completion_tokens: tokens }) => ({
      prompt_tokens,
      chosen_tokens: tokens,
      rejected_tokens: tokens,
    })),
  )
  bcod('eval', '--model', model, '--adapter', adapter, '--pairs', pairs, '--rows', out)
  const scored = readFileSync(out, 'utf8').trimEnd().split('\n').map(JSON.parse)
  return {
    policy: scored.map((row) => row.chosen_policy_logp),
    reference: scored.map((row) => row.chosen_reference_logp),
  }
}

const largest = (values) => Math.max(...values)
/** Largest difference, relative to the second. */
const distance = (ours, theirs) => largest(ours.map((value, i) => Math.abs(value - theirs[i]) / Math.abs(theirs[i])))

function compare(scratch) {
  const peftOut = ({ name }) => join(scratch, name, 'peft')
  peft(
    'write',
    CASES.map((each, seed) => ({ model: each.model, out: peftOut(each), seed, ...each.lora })),
  )
  const trials = CASES.flatMap((each) => {
    const { name, model } = each
    say(`${name}: bcod trains an adapter of its own and goes on with PEFT's`)
    const own = train(each, join(scratch, name, 'own'))
    const checkpoints = join(scratch, name, 'own', 'checkpoint')
    const newest = readdirSync(checkpoints)
      .filter((entry) => entry.startsWith('step-'))
      .sort()
      .at(-1)
    const further = train(each, join(scratch, name, 'further'), peftOut(each))
    return [
      { model, what: `${name}: trained by bcod`, adapter: own },
      { model, what: `${name}: bcod's checkpoint`, adapter: join(checkpoints, newest) },
      { model, what: `${name}: written by PEFT`, adapter: peftOut(each) },
      { model, what: `${name}: PEFT's, trained further by bcod`, adapter: further },
    ]
  })
  say('log-probabilities of all of them, from both')
  const theirs = peft(
    'logps',
    trials.map(({ model, adapter }) => ({ model, adapter, rows })),
  )
  return trials.map(({ model, what, adapter }, i) => {
    const ours = score(model, adapter, scratch)
    const error = Math.max(distance(ours.policy, theirs[i].policy), distance(ours.reference, theirs[i].reference))
    const effect = largest(theirs[i].policy.map((value, row) => Math.abs(value - theirs[i].reference[row])))
    const passed = error <= TOLERANCE && effect >= EFFECT
    say(
      `${passed ? 'ok  ' : 'FAIL'} ${what}: differ by ${error.toExponential(1)}, the adapter moves ${effect.toFixed(2)} nats`,
    )
    return { what, error, effect, passed }
  })
}

/** Adapters by PEFT, and what PEFT and transformers compute with them. */
function writeFixture(directory) {
  const model = 'tests/golden/tiny_llama'
  const names = Object.keys(FIXTURES)
  peft(
    'write',
    names.map((name) => ({ model, out: join(directory, name), ...FIXTURES[name] })),
  )
  const scores = peft(
    'logps',
    names.map((name) => ({ model, adapter: join(directory, name), rows })),
  )
  const expected = {
    note: 'PEFT 0.21.2 and transformers 5.23 in f64: log-probabilities summed over each completion; adapters by save_pretrained; node tests/peft/run.mjs --fixture',
    model: 'tiny_llama',
    rows,
    reference: scores[0].reference,
    policy: Object.fromEntries(names.map((name, i) => [name, scores[i].policy])),
  }
  writeFileSync(join(directory, 'peft_adapter.json'), `${JSON.stringify(expected)}\n`)
  return expected
}

/** The committed fixture is what PEFT writes today: the same tensors, and the same numbers to a millionth. */
function checkFixture(scratch) {
  const directory = join(scratch, 'fixture')
  mkdirSync(directory)
  const now = writeFixture(directory)
  const committed = JSON.parse(readFileSync('tests/golden/peft_adapter.json', 'utf8'))
  const passed = Object.keys(FIXTURES).every((name) => {
    const file = join(name, 'adapter_model.safetensors')
    const same = readFileSync(join(directory, file)).equals(readFileSync(join('tests/golden', file)))
    return same && distance(now.policy[name], committed.policy[name]) < 1e-6
  })
  say(`${passed ? 'ok  ' : 'FAIL'} tests/golden/peft_adapter is what PEFT writes and computes`)
  return { what: 'tests/golden/peft_adapter', passed }
}

const scratch = mkdtempSync(join(tmpdir(), 'bcod-peft-'))
try {
  if (process.argv.includes('--fixture')) {
    writeFixture('tests/golden')
    for (const name of Object.keys(FIXTURES)) chmodSync(join('tests/golden', name, 'adapter_model.safetensors'), 0o644)
  } else {
    const trials = [...compare(scratch), checkFixture(scratch)]
    const failed = trials.filter(({ passed }) => !passed).length
    const worst = largest(trials.map(({ error = 0 }) => error))
    console.log(JSON.stringify({ trials: trials.length, failed, tolerance: TOLERANCE, worst_error: worst }))
    process.exitCode = failed > 0 ? 1 : 0
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
