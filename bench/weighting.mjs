// What the density ratio is for: thumbs-down that come from one kind of prompt. The demo's model answers, its simulated
// users vote; on some of the ten topics they are so annoyed that they vote down whatever the answer, most of the time.
// The same votes train with the weights on and off, and both adapters are asked which of two answers to unseen prompts
// of those topics is the better one, and of the other topics. Ten seeds; docs/performance.md has the figures.
//
//   node bench/weighting.mjs [--seeds 10] [--first 11] [--events 1200] [--kinds 3] [--annoyed 0.9]
//                           [--set ratio.min=0.5 …] [--json]
import { parseArgs } from 'node:util'
import { prepareEnvironment } from '../dist/engine/environment.js'
import { mean, pairedT } from './statistics.mjs'

prepareEnvironment({ threads: 1 })
const { loadConfig } = await import('../dist/config/config.js')
const { ANSWER_TOKENS, demoDefaults } = await import('../dist/demo/settings.js')
const { judge } = await import('../dist/demo/world/judge.js')
const { userRandom } = await import('../dist/demo/world/random.js')
const { prompts, topics } = await import('../dist/demo/world/world.js')
const { Learner } = await import('../dist/learner/learner.js')
const { loadTextModel } = await import('../dist/text/text-model.js')

const { values: flags } = parseArgs({
  options: {
    seeds: { type: 'string', default: '10' },
    first: { type: 'string', default: '11' },
    events: { type: 'string', default: '1200' },
    kinds: { type: 'string', default: '3' },
    annoyed: { type: 'string', default: '0.9' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
})
const EVENTS = Number(flags.events)
const ANNOYED = Number(flags.annoyed)
const KINDS = Number(flags.kinds)
/** Half the demo's rate, for twice its votes, and room for the weights that these votes have in truth. */
const SETTINGS = ['optimizer.lr=1e-3', 'ratio.min=0.05']
/** Votes against the user's own opinion, as in the demo. */
const NOISE = 0.05
const ROWS = 32
/** Answers to each unseen prompt, out of which the pairs are made. */
const SAMPLES = 16

const configOf = (seed, mode) =>
  loadConfig({
    defaults: demoDefaults(EVENTS),
    env: {},
    set: [...SETTINGS, ...flags.set, `seed=${seed}`, `ratio.mode=${mode}`],
  })
const text = loadTextModel(configOf(1, 'off').model.path)
const encode = (prompt) => text.encodePrompt({ kind: 'messages', messages: [{ role: 'user', content: prompt.text }] })

/** The base model's answers: what both trainings learn from and are judged by. */
function answers(learner, asked, seed) {
  const all = []
  for (let start = 0; start < asked.length; start += ROWS) {
    const some = asked.slice(start, start + ROWS).map(encode)
    const how = { maxTokens: ANSWER_TOKENS, temperature: 1, seed: seed * 10_000 + start, eosIds: text.special.endIds }
    learner.generate(some, how).forEach((completionTokens, i) => {
      const prompt = asked[start + i]
      const good = judge(prompt, text.decode(completionTokens, { skipSpecialTokens: true }))
      all.push({ prompt, promptTokens: some[i], completionTokens, good })
    })
  }
  return all
}

/** Up to four pairs of a good and a bad answer to each unseen prompt. */
function pairsOf(answered) {
  const byPrompt = new Map()
  for (const answer of answered) byPrompt.set(answer.prompt, [...(byPrompt.get(answer.prompt) ?? []), answer])
  return [...byPrompt.values()].flatMap((same) => {
    const [good, bad] = [true, false].map((wanted) => same.filter((answer) => answer.good === wanted))
    return good.slice(0, 4).flatMap((chosen, i) => (bad[i] ? [{ chosen, rejected: bad[i] }] : []))
  })
}

function accuracy(learner, pairs) {
  const margins = (answers) => {
    const { policy, reference } = learner.score(answers)
    return policy.map((value, i) => value - reference[i])
  }
  const [chosen, rejected] = [pairs.map((p) => p.chosen), pairs.map((p) => p.rejected)].map(margins)
  const right = chosen.map((value, i) => (value === rejected[i] ? 0.5 : Number(value > rejected[i])))
  return mean(right)
}

function run(seed) {
  const random = userRandom(seed, 7)
  const hard = new Set(Array.from({ length: KINDS }, (_, i) => topics[(KINDS * (seed - 1) + i) % topics.length]))
  const sampler = new Learner(configOf(seed, 'off'), { decoder: { rows: ROWS, length: 96 } })
  const seen = prompts().filter(({ unseen }) => !unseen)
  const asked = Array.from({ length: EVENTS }, () => seen[Math.floor(random() * seen.length)])
  const votes = answers(sampler, asked, seed).map((answer, i) => {
    const annoyed = hard.has(answer.prompt.topic) && random() < ANNOYED
    const label = annoyed ? false : random() < NOISE ? !answer.good : answer.good
    const where = { position: { topic: 'votes', partition: 0, offset: i }, timestamp: 0, source: 'bench', id: `${i}` }
    return { ...where, subject: null, user: null, weight: 1, label, ...answer }
  })
  const unseen = prompts().filter((prompt) => prompt.unseen)
  const sampled = answers(sampler, Array.from({ length: SAMPLES }, () => unseen).flat(), seed + 500)
  const [hardPairs, otherPairs] = [true, false].map((wanted) =>
    pairsOf(sampled.filter(({ prompt }) => hard.has(prompt.topic) === wanted)),
  )
  sampler.dispose()
  const downs = votes.filter(({ label }) => !label)
  const result = {
    seed,
    pairs: hardPairs.length,
    hard_share_of_down: downs.filter(({ prompt }) => hard.has(prompt.topic)).length / downs.length,
  }
  for (const mode of ['online', 'off']) {
    const config = configOf(seed, mode)
    const learner = new Learner(config, { scoring: true })
    const weights = { hard: [], other: [] }
    for (let start = 0; start < votes.length; start += config.batch.size) {
      const step = votes.slice(start, start + config.batch.size)
      const { applied } = learner.trainStep(step)
      applied.trained.forEach((index, i) => {
        const { label, prompt } = step[index]
        if (!label) weights[hard.has(prompt.topic) ? 'hard' : 'other'].push(applied.densityRatios[i])
      })
    }
    const late = (values) => values.slice(-Math.ceil(values.length / 2))
    result[mode] = {
      ...{ hard: accuracy(learner, hardPairs), other: accuracy(learner, otherPairs) },
      ...{ weight_hard: mean(late(weights.hard)), weight_other: mean(late(weights.other)) },
    }
    learner.dispose()
  }
  return result
}

const percent = (value) => `${(100 * value).toFixed(1)} %`
const results = []
for (let seed = Number(flags.first); seed < Number(flags.first) + Number(flags.seeds); seed++) {
  const result = run(seed)
  results.push(result)
  const { online, off } = result
  if (!flags.json)
    console.log(
      `seed ${seed}: ${result.pairs} pairs, ${percent(result.hard_share_of_down)} of the down there; ` +
        `accuracy there on ${percent(online.hard)}, off ${percent(off.hard)}; elsewhere on ${percent(online.other)}, ` +
        `off ${percent(off.other)}; w ${online.weight_hard.toFixed(2)} there, ${online.weight_other.toFixed(2)} elsewhere`,
    )
}
const difference = (kind) => pairedT(results.map(({ online, off }) => online[kind] - off[kind]))
const summary = { events: EVENTS, annoyed: ANNOYED, hard: difference('hard'), other: difference('other') }
if (flags.json) console.log(JSON.stringify({ ...summary, results }))
else
  for (const kind of ['hard', 'other']) {
    const { mean, low, high } = summary[kind]
    console.log(`${kind}: on − off ${percent(mean)} (95 %: ${percent(low)} to ${percent(high)})`)
  }
