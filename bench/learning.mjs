// Does bcod learn as well as TRL? All sides train the same votes from the same initial adapter, once for each seed,
// which decides votes, order and adapter; then their adapters rank the same held-out pairs, scored by the same code.
// docs/performance.md has what came of it.
//
//   node bench/learning.mjs --results FILE --votes FILE --pairs FILE [--model DIR] [--layers N] [--seeds 10] …
//
// --votes has rows as `bcod replay` takes them ({prompt_tokens, completion_tokens, label}, or text), --pairs as `bcod
// eval` does ({prompt_tokens, chosen_tokens, rejected_tokens}, or text). Without --model: SmolLM2-135M-Instruct.
// Each run is a line in the file of results, and none is done twice: stop and go on at will. Prints a table, and one
// JSON document as the last line.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readAdapter, writeAdapter } from '../dist/adapters/weights/peft.js'
import { prepareEnvironment } from '../dist/engine/environment.js'

const { values: flags } = parseArgs({
  options: {
    results: { type: 'string' },
    report: { type: 'boolean', default: false }, // of what is there; nothing runs
    model: { type: 'string' },
    layers: { type: 'string' }, // only the first so many
    'tokens-in-use': { type: 'boolean', default: false }, // the rest of the vocabulary is left out
    votes: { type: 'string' },
    pairs: { type: 'string' },
    'max-length': { type: 'string', default: '1024' }, // of a vote; longer ones are left out
    'max-pair-length': { type: 'string', default: '1024' },
    count: { type: 'string' }, // votes of a seed; all if it is not given
    ups: { type: 'string' }, // share of thumbs-up among them; as it comes if it is not given
    together: { type: 'boolean', default: false }, // votes on one prompt come close to each other
    seeds: { type: 'string', default: '10' },
    first: { type: 'string', default: '1' },
    lr: { type: 'string', default: '1e-4' },
    beta: { type: 'string', default: '0.1' },
    batch: { type: 'string', default: '8' },
    vary: { type: 'string', multiple: true, default: [] }, // lr=1e-5,1e-3: those as well, all else as above
    contender: { type: 'string', multiple: true, default: ['paper', 'trl'] }, // or 'NAME key=value …'
    against: { type: 'string', default: 'TRL' }, // or a contender; TRL does not run then
    'pause-while': { type: 'string' }, // no run begins while this file is there
    threads: { type: 'string', default: '1' },
  },
})
for (const name of ['results', 'votes', 'pairs']) if (!flags[name]) throw new Error(`--${name} is needed`)
const THREADS = Number(flags.threads)
prepareEnvironment({ threads: THREADS })
const { BcodSide, bcodConfig, initialAdapter } = await import('./learning/bcod-side.mjs')
const { distance } = await import('./learning/distance.mjs')
const { contenderOf, pointsOf, settingsOf } = await import('./learning/plan.mjs')
const { printTable, summarise } = await import('./learning/report.mjs')
const { Results } = await import('./learning/results.mjs')
const { Scorer } = await import('./learning/scorer.mjs')
const { renumber, tokensInUse, writeSmaller } = await import('./learning/smaller.mjs')
const { smollm2 } = await import('./learning/smollm2.mjs')
const { TrlSide } = await import('./learning/trl-side.mjs')
const { drawVotes, readVotes, tokensOf } = await import('./learning/votes.mjs')

/** Answers of pairs that transformers scores as well, under the adapter of the first seed. */
const CROSS_CHECKED = 20
const TRL = { name: 'TRL', settings: [] }

const say = (text) => console.error(`learning: ${text}`)
const numberOr = (text, otherwise) => (text === undefined ? otherwise : Number(text))
const scratch = mkdtempSync(join(tmpdir(), 'bcod-learning-'))
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }))
const inside = (name) => join(scratch, name)

const original = resolve(flags.model ?? smollm2())
const smaller = { layers: numberOr(flags.layers, null), tokensInUse: flags['tokens-in-use'] }
const lengths = { maxLength: Number(flags['max-length']), maxPairLength: Number(flags['max-pair-length']) }
const read = await readVotes({ model: original, votes: flags.votes, pairs: flags.pairs, ...lengths })
const { model, votes, pairs } =
  smaller.layers === null && !smaller.tokensInUse ? { model: original, ...read } : cutDown()
const drawing = {
  count: numberOr(flags.count, votes.length),
  ups: numberOr(flags.ups, null),
  together: flags.together,
}
const longestVote = Math.max(...votes.map(tokensOf))
const longestAnswer = Math.max(...pairs.flatMap(({ chosen, rejected }) => [tokensOf(chosen), tokensOf(rejected)]))
const judged = { pairs: pairs.length, left_out: read.left_out }
say(
  `${drawing.count} of ${votes.length} votes, ${pairs.length} pairs; too long or known: ${JSON.stringify(read.left_out)}`,
)

const files = { model: original, votes: resolve(flags.votes), pairs: resolve(flags.pairs) }
const results = new Results(flags.results, { ...files, ...smaller, ...lengths, ...drawing })
const points = pointsOf({ lr: flags.lr, beta: flags.beta, batch: flags.batch }, flags.vary)
const contenders = [...(flags.against === TRL.name ? [TRL] : []), ...flags.contender.map(contenderOf)]
const seeds = Array.from({ length: Number(flags.seeds) }, (_, i) => Number(flags.first) + i)
if (!flags.report) await runAll()
const rows = results.rows.filter(({ seed }) => seeds.includes(seed))
const summary = summarise(rows, { points, contenders, baseline: flags.against })
printTable(summary)
console.log(JSON.stringify({ ...results.experiment, judged, ...summary }))

/** The smaller model, and what was read by its tokens. */
function cutDown() {
  const answers = read.pairs.flatMap(({ chosen, rejected }) => [chosen, rejected])
  const tokens = smaller.tokensInUse ? tokensInUse([...read.votes, ...answers]) : null
  writeSmaller(original, inside('model'), { layers: smaller.layers, tokens })
  if (tokens === null) return { ...read, model: inside('model') }
  const renumbered = renumber(answers, tokens)
  const pairs = read.pairs.map((pair, i) => ({ ...pair, chosen: renumbered[2 * i], rejected: renumbered[2 * i + 1] }))
  return { model: inside('model'), votes: renumber(read.votes, tokens), pairs }
}

async function runAll() {
  const trl = new TrlSide(THREADS)
  const scorer = new Scorer(model, longestAnswer, pairs)
  try {
    for (const point of points) {
      const sides = new Map()
      for (const seed of seeds) await runSeed({ point, seed, sides, trl, scorer })
      for (const side of sides.values()) side.dispose()
    }
  } finally {
    trl.end()
  }
}

/** The missing runs of one seed at one point. */
async function runSeed({ point, seed, sides, trl, scorer }) {
  const missing = contenders.filter(({ name, settings }) => !results.has({ point, contender: name, settings, seed }))
  if (missing.length === 0) return
  const initial = initialAdapter(model, bcodConfig(model, longestVote, []), seed)
  const drawn = drawVotes(votes, seed, drawing)
  let trlAdapter = null
  for (const { name, settings } of missing) {
    while (flags['pause-while'] && existsSync(flags['pause-while'])) await sleep(3000)
    const started = performance.now()
    const { adapter, ...more } =
      name === TRL.name
        ? await trainWithTrl({ trl, scorer, point, drawn, initial, first: seed === seeds[0] })
        : await sideOf(sides, point, settings).train(drawn, initial)
    const seconds = (performance.now() - started) / 1000
    if (name === TRL.name) trlAdapter = adapter
    else if (trlAdapter !== null) more.from_trl = distance(adapter, trlAdapter, initial)
    results.add({ point, contender: name, settings, seed, seconds, ...more, margins: scorer.margins(adapter) })
    say(`${Object.entries(point).flat().join(' ')}, seed ${seed}, ${name}: ${seconds.toFixed(1)} s`)
  }
}

function sideOf(sides, point, settings) {
  const key = settings.join()
  const all = [...settingsOf(point), ...settings]
  if (!sides.has(key)) sides.set(key, new BcodSide(bcodConfig(model, longestVote, all)))
  return sides.get(key)
}

async function trainWithTrl({ trl, scorer, point: { lr, beta, batch }, drawn, initial, first }) {
  const ends = new Set(drawn.map(({ completionTokens }) => completionTokens.at(-1)))
  if (ends.size > 1) throw new Error(`completions end in several tokens (${[...ends]}): TRL would add to some`)
  const tokens = (events) =>
    events.map(({ promptTokens, completionTokens, label }) => ({
      ...{ prompt_tokens: promptTokens, completion_tokens: completionTokens, label },
    }))
  writeAdapter(inside('initial'), initial)
  writeFileSync(inside('votes.json'), JSON.stringify(tokens(drawn)))
  const { steps, log_ratios } = await trl.train({
    ...{ model, adapter: inside('initial'), votes: inside('votes.json'), out: inside('trl') },
    ...{ lr: Number(lr), beta: Number(beta), batch: Number(batch) },
    score: first ? tokens(scorer.answers.slice(0, CROSS_CHECKED)) : [],
  })
  const adapter = readAdapter(inside('trl'))
  rmSync(inside('trl'), { recursive: true })
  if (!first) return { adapter, steps }
  const ours = scorer.logRatios(adapter)
  return { adapter, steps, evaluators_differ: Math.max(...log_ratios.map((value, i) => Math.abs(value - ours[i]))) }
}
