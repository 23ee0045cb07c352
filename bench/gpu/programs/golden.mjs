// How far bcod is from TRL, transformers and PEFT (tests/golden) on whatever device TensorFlow registers, a process of its
// own: `node golden.mjs [--executor graph|xla] [--dtype f32|bf16] [--tf32] [--part NAME …]`. A line of JSON for each part
// once it is known: ‖a − b‖ / ‖b‖ of log-probabilities and tensors, the worst of all; of single numbers |a / b − 1|, and
// of δ, which may be 0, |a − b|.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { prepareEnvironment } from '../../../dist/engine/environment.js'

prepareEnvironment({ threads: 0 })
const { readAdapter } = await import('../../../dist/adapters/weights/peft.js')
const { loadConfig } = await import('../../../dist/config/config.js')
const { prepareGpu } = await import('../../../dist/engine/gpu-numerics.js')
const { usesGpu } = await import('../../../dist/engine/tensorflow.js')
const { Learner } = await import('../../../dist/learner/learner.js')
const { ModelSession } = await import('../../../dist/learner/model-session.js')
const { loraFromAdapter } = await import('../../../dist/model/lora.js')
const { LINEAR_LAYERS } = await import('../../../dist/model/parameters.js')
const { openSafetensors } = await import('../../../dist/safetensors/reader.js')

const { values: flags } = parseArgs({
  options: {
    executor: { type: 'string', default: 'graph' },
    dtype: { type: 'string', default: 'f32' },
    tf32: { type: 'boolean', default: false },
    part: { type: 'string', multiple: true },
  },
})
const { executor, dtype, tf32 } = flags
const golden = (path) => join(fileURLToPath(new URL('../../../tests/golden', import.meta.url)), path)
const json = (path) => JSON.parse(readFileSync(golden(path), 'utf8'))

const parts = { 'ten steps': tenSteps }
for (const name of ['llama3_scaled_untied', 'qwen2', 'qwen3']) parts[name] = () => oneStep(name)
for (const name of flags.part ?? Object.keys(parts)) {
  const started = performance.now()
  const found = await parts[name]()
  const about = { part: name, device: usesGpu() ? 'gpu' : 'cpu', executor, dtype, tf32 }
  console.log(JSON.stringify({ ...about, ...found, seconds: (performance.now() - started) / 1000 }))
}

/** TRL's ten steps of AdamW on a random Llama of two layers. */
function tenSteps() {
  const { batches, f64 } = json('tiny_llama.json')
  const learner = new Learner(
    loadConfig({
      env: {},
      set: [
        ...[`model.path=${golden('tiny_llama')}`, `lora.init=${golden('tiny_adapter')}`, 'lora.r=4', 'lora.alpha=8'],
        ...['bco.mode=trl', 'ratio.mode=off', 'batch.size=4', 'optimizer.lr=1e-3', 'optimizer.weightDecay=0.01'],
        ...['limits.maxLength=128', 'batch.tokens=128'],
        ...[`model.executor=${executor}`, `model.dtype=${dtype}`, `model.tf32=${tf32}`],
      ],
    }),
    { scoring: true },
  )
  const scores = batches.map((batch, i) => {
    const { policy, reference } = learner.score(eventsOf(batch))
    return worst([distance(policy, f64.static[i].policy_logps), distance(reference, f64.static[i].ref_logps)])
  })
  const steps = f64.train.map((expected, i) => {
    const { applied, quarantined } = learner.trainStep(eventsOf(batches[i % batches.length]))
    if (applied === null || quarantined.length > 0) throw new Error(`step ${i + 1} was not applied`)
    return {
      loss: apart(applied.loss, expected.loss),
      delta: Math.abs(applied.delta - expected.delta),
      grad_norm: apart(applied.gradNorm, expected.grad_norm),
    }
  })
  const trained = openSafetensors(golden('tiny_trained_f64.safetensors'))
  const { tensors } = learner.adapter()
  const adapter = worst(trained.names.map((name) => distance(tensors.get(name).data, trained.floats(name))))
  trained.close()
  const of = (key) => worst(steps.map((step) => step[key]))
  const measured = { log_probs: worst(scores), loss: of('loss'), delta: of('delta'), grad_norm: of('grad_norm') }
  const adapter_sha256 = learner.adapterSha256()
  learner.dispose()
  return { ...measured, trained_adapter: adapter, adapter_sha256 }
}

function eventsOf(batch) {
  return batch.completion_input_ids.map((ids, i) => {
    const [prompt, completion] = [batch.prompt_len[i], batch.completion_len[i]]
    return {
      position: { topic: 'golden', partition: 0, offset: i },
      ...{ timestamp: 0, source: 'golden', id: String(i), subject: null, user: null, weight: 1 },
      ...{ label: batch.label[i], promptTokens: ids.slice(0, prompt) },
      completionTokens: ids.slice(prompt, prompt + completion),
    }
  })
}

/** Log-probabilities, loss and each gradient tensor of one architecture; also of completions laid out as a tree. */
function oneStep(name) {
  const expected = json(`arch/${name}.json`)
  const path = golden(`arch/${name}`)
  const adapter = readAdapter(`${path}_adapter`)
  const { r, alpha, rslora, targets } = adapter
  const lora = { r, alpha, rslora, targets: LINEAR_LAYERS.filter((layer) => targets.includes(layer)) }
  const rows = expected.rows
  const events = rows.map((row) => ({ promptTokens: row.prompt_tokens, completionTokens: row.completion_tokens }))
  const n = events.length
  const shape = { tokens: 64 * n, sequences: n, rows: n, length: 64, longest: 64 }
  const treeShape = { tokens: 64, sequences: 64, rows: 1, length: 64, longest: 64 }
  prepareGpu({ tf32 })
  const loaded = new ModelSession({
    ...{ modelPath: path, dtype, executor, lora, shapes: [shape, treeShape], beta: expected.beta },
    optimizer: {
      ...{ lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, clipNorm: 1 },
      ...{ schedule: 'constant', warmupSteps: 0, totalSteps: null },
    },
    ...{ gradientCheckpointing: false, purposes: ['train', 'score'], referenceLora: null },
    ...{ decoder: null, givenDecoder: null },
  })
  const { session, model } = loaded
  loaded.adapterValues = loraFromAdapter(model.lora, lora, adapter, path)
  const layout = { shape, trees: events.map(() => 1) }
  const reference = loaded.reference.prepare(events, layout)().logps
  const policy = loaded.score(events, layout)()
  const sums = (key) => rows.map((row) => row[key].reduce((sum, value) => sum + value, 0))
  const whole = worst([distance(reference, sums('ref_per_token')), distance(policy, sums('policy_per_token'))])
  const shared = worst(
    rows.map((row) => {
      // each token alone: all before it is its prompt, which is that of the token before it and one token more
      const single = row.completion_tokens.map((token, i) => ({
        promptTokens: [...row.prompt_tokens, ...row.completion_tokens.slice(0, i)],
        completionTokens: [token],
      }))
      return distance(loaded.score(single, { shape: treeShape, trees: [single.length] })(), row.policy_per_token)
    }),
  )
  const terms = {
    referenceLogps: reference,
    labels: rows.map((row) => row.label),
    coefficients: rows.map(() => 1 / n),
    ...{ delta: expected.delta, first: true },
  }
  const { loss } = loaded.accumulate(events, layout, terms)()
  const gradients = model.lora.views(loaded.gradientAt(0))
  const file = openSafetensors(`${path}_grads.safetensors`)
  const distances = file.names.map((tensor) => distance(gradients.get(tensor), file.floats(tensor)))
  file.close()
  session.dispose()
  return { log_probs: whole, log_probs_shared: shared, loss: apart(loss, expected.loss), gradients: worst(distances) }
}

function distance(actual, expected) {
  let [difference, size] = [0, 0]
  expected.forEach((value, i) => {
    difference += (actual[i] - value) ** 2
    size += value ** 2
  })
  return Math.sqrt(difference / size)
}

function apart(actual, expected) {
  return worst([Math.abs(actual / expected - 1)])
}

/** The largest; NaN, which no JSON has, is as far as can be. */
function worst(values) {
  return values.some(Number.isNaN) ? Number.MAX_VALUE : Math.max(...values)
}
