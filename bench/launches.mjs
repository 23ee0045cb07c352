// What a step asks of a GPU: kernels, matrix products, graphs of launches, copies and waits, counted on a stand-in whose
// calls all succeed (bench/gpu/stand-in). It needs no GPU and says nothing of time. Each figure is held against
// bench/gpu/budget.json; one that has grown is named, and the exit code is 1. docs/performance.md explains it.
//
//   node bench/launches.mjs [CASE …] [--json] [--update]        CASE as in the budget: all of them by default
//   node bench/launches.mjs --shape smollm2-135m --layers 4 --workload plain [--set model.dtype=bf16 …] [--json]
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { judge } from './gpu/budget.mjs'
import { makeCounters } from './gpu/counters.mjs'
import { standInEnvironment } from './gpu/stand-in.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const BUDGET = here('gpu/budget.json')
const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: 'string' },
    layers: { type: 'string', default: '4' },
    workload: { type: 'string', default: 'plain' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
    update: { type: 'boolean', default: false },
  },
})
const say = (text) => console.error(`launches: ${text}`)

const budget = JSON.parse(readFileSync(BUDGET, 'utf8'))
const unknown = positionals.filter((name) => budget[name] === undefined)
if (unknown.length > 0) {
  say(`no case ${unknown.join(', ')}; there are ${Object.keys(budget).join(', ')}`)
  process.exit(2)
}
const own = { shape: flags.shape, layers: Number(flags.layers), workload: flags.workload, set: flags.set }
const names = positionals.length > 0 ? positionals : Object.keys(budget)
const cases = flags.shape ? [[null, own]] : names.map((name) => [name, budget[name].of])

const work = mkdtempSync(join(tmpdir(), 'bcod-launches-'))
process.on('exit', () => rmSync(work, { recursive: true, force: true }))
const counters = join(work, 'counters')
makeCounters(counters)
const env = standInEnvironment(counters, say)

const results = []
for (const [name, of] of cases) {
  say(`${name ?? of.shape}: compiling and counting`)
  const job = JSON.stringify({ steps: 3, ...of })
  const { status, stdout } = spawnSync(process.execPath, [here('gpu/count.mjs'), job], {
    ...{ env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  })
  if (status !== 0) process.exit(1)
  results.push({ case: name, ...JSON.parse(stdout.trim().split('\n').at(-1)) })
}

const grown = []
for (const { case: name, step } of results.filter((result) => result.case !== null)) {
  const { more, less } = judge(step, budget[name].atMost)
  grown.push(...more.map((text) => `${name}: ${text}`))
  for (const text of less) say(`${name}: ${text}; --update writes it down`)
  if (flags.update)
    budget[name].atMost = Object.fromEntries(Object.keys(budget[name].atMost).map((key) => [key, step[key]]))
}
if (flags.update) writeFileSync(BUDGET, `${JSON.stringify(budget, null, 2)}\n`)

if (flags.json) console.log(JSON.stringify({ cases: results, grown: flags.update ? [] : grown }))
else for (const { case: name, programs, step, ...about } of results) print(name ?? about.shape, { ...programs, step })
if (grown.length > 0 && !flags.update) {
  for (const text of grown) say(text)
  process.exit(1)
}

/** Counts by program and of the whole step; those that are 0 everywhere are left out. */
function print(title, rows) {
  const keys = Object.keys(rows.step).filter(
    (key) => key !== 'modules' && Object.values(rows).some((row) => row[key] > 0),
  )
  console.log(title)
  console.table(
    Object.fromEntries(
      keys.map((key) => [
        key,
        Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, Math.round(row[key])])),
      ]),
    ),
  )
}
