// Votes and pairs of the demo's world: its model answers, its users vote. Prompts of pairs never train.
//
//   node bench/learning/demo-votes.mjs DIRECTORY [--votes 4000] [--noise 0.05] [--seed 1]
//
// writes DIRECTORY/votes.jsonl and DIRECTORY/pairs.jsonl
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareEnvironment } from '../../dist/engine/environment.js'

prepareEnvironment({ threads: 1 })
const { loadConfig } = await import('../../dist/config/config.js')
const { ANSWER_TOKENS, EMBEDDED_MODEL } = await import('../../dist/demo/settings.js')
const { judge } = await import('../../dist/demo/world/judge.js')
const { seenPrompts, unseenPrompts } = await import('../../dist/demo/world/world.js')
const { Learner } = await import('../../dist/learner/learner.js')
const { seededRandom } = await import('../../dist/model/random.js')
const { loadTextModel } = await import('../../dist/text/text-model.js')

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    votes: { type: 'string', default: '4000' },
    noise: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: '1' },
  },
})
const [directory] = positionals
if (directory === undefined) throw new Error('a directory is needed')
const [votes, noise, seed] = [Number(flags.votes), Number(flags.noise), Number(flags.seed)]
const ROWS = 32
/** Answers to each prompt out of which pairs are made, and how many pairs at most. */
const [SAMPLES, PAIRS] = [32, 6]

const text = loadTextModel(EMBEDDED_MODEL)
const [end] = text.special.endIds
const config = loadConfig({ env: {}, set: [`model.path=${JSON.stringify(EMBEDDED_MODEL)}`, 'limits.maxLength=96'] })
const learner = new Learner(config, { training: false, decoder: { rows: ROWS, length: 96 } })

/** One answer of the model to each prompt, ended as a server would. */
function answers(prompts, stream) {
  const answered = []
  for (let start = 0; start < prompts.length; start += ROWS) {
    const some = prompts.slice(start, start + ROWS)
    const encoded = some.map((prompt) =>
      text.encodePrompt({ kind: 'messages', messages: [{ role: 'user', content: prompt.text }] }),
    )
    const how = { maxTokens: ANSWER_TOKENS, temperature: 1, seed: stream + start, eosIds: text.special.endIds }
    learner.generate(encoded, how).forEach((tokens, i) => {
      const good = judge(some[i], text.decode(tokens, { skipSpecialTokens: true }))
      const completion = tokens.at(-1) === end ? tokens : [...tokens, end]
      answered.push({ prompt: some[i], promptTokens: encoded[i], completion: [...completion], good })
    })
  }
  return answered
}

/** Pairs of a good and a bad answer to one prompt, no answer twice. */
function pairsOf(answered) {
  return [...grouped(answered).values()].flatMap((same) => {
    const different = [...new Map(same.map((answer) => [answer.completion.join(), answer])).values()]
    const [good, bad] = [true, false].map((wanted) => different.filter((answer) => answer.good === wanted))
    return good.slice(0, Math.min(PAIRS, bad.length)).map((chosen, i) => ({
      prompt_tokens: chosen.promptTokens,
      chosen_tokens: chosen.completion,
      rejected_tokens: bad[i].completion,
    }))
  })
}

function grouped(answered) {
  const groups = new Map()
  for (const answer of answered) groups.set(answer.prompt, [...(groups.get(answer.prompt) ?? []), answer])
  return groups
}

const jsonl = (name, rows) =>
  writeFileSync(join(directory, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(''))

const random = seededRandom(seed, 'demo-votes')
mkdirSync(directory, { recursive: true })
const asked = Array.from({ length: votes }, () => seenPrompts[Math.floor(random() * seenPrompts.length)])
const voted = answers(asked, seed * 1_000_000).map(({ promptTokens, completion, good }) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completion,
  label: random() < noise ? !good : good,
}))
const pairs = pairsOf(answers(Array.from({ length: SAMPLES }, () => unseenPrompts).flat(), seed * 1_000_000 + 500_000))
learner.dispose()
jsonl('votes.jsonl', voted)
jsonl('pairs.jsonl', pairs)
const ups = voted.filter(({ label }) => label).length
console.log(JSON.stringify({ votes: voted.length, ups, pairs: pairs.length, noise, seed }))
