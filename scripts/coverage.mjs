// What the tests of `make test` cover in their own processes, by folder of src: merges what each run of vitest measured.
//   node scripts/coverage.mjs RUN...   (each has left coverage/RUN/coverage-final.json)
import { readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import coverage from 'istanbul-lib-coverage'

const runs = process.argv
  .slice(2)
  .map((run) =>
    coverage.createCoverageMap(JSON.parse(readFileSync(join('coverage', run, 'coverage-final.json'), 'utf8'))),
  )
const map = coverage.createCoverageMap()
const wasLoaded = (file) => Object.values(file.s).some((count) => count > 0)
// what a run never loads it divides into other statements: that counts only if no run loads it
for (const loaded of [true, false])
  for (const run of runs)
    for (const path of run.files()) {
      const file = run.fileCoverageFor(path)
      if (wasLoaded(file) === loaded && (loaded || !map.files().includes(path))) map.addFileCoverage(file)
    }

const folders = new Map()
const all = coverage.createCoverageSummary()
for (const file of map.files()) {
  const [, folder] = relative(process.cwd(), file).split(sep)
  const summary = map.fileCoverageFor(file).toSummary()
  all.merge(summary)
  const name = folder.endsWith('.ts') ? '(files beside)' : folder
  const sum = folders.get(name) ?? coverage.createCoverageSummary()
  sum.merge(summary)
  folders.set(name, sum)
}

const percent = ({ pct }) => `${Number(pct).toFixed(1)} %`.padStart(8)
const row = (name, { lines, branches, functions }) =>
  `${name.padEnd(16)}${percent(lines)} lines${percent(branches)} branches${percent(functions)} functions`
console.log(
  'Coverage of src by the tests that run it in their own process; daemons and commands as processes add to it.',
)
for (const [name, sum] of [...folders].sort(([a], [b]) => a.localeCompare(b))) console.log(row(name, sum))
console.log(row('all', all))
