// `make house`: the size of the house in figures, src beside tests. `node scripts/house.mjs [ROOT]` measures another checkout.
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { circles, fileGraph, folderArrows, importArrows, typescriptFiles } from './house/imports.mjs'
import { measureFile, quantile } from './house/measures.mjs'

const root = process.argv[2] ?? '.'
const columns = ['src', 'tests'].filter((name) => existsSync(join(root, name))).map((name) => [name, measure(name)])

const rows = Object.keys(columns[0][1].figures)
console.log(`|  | ${columns.map(([name]) => name).join(' | ')} |\n| --- |${' --- |'.repeat(columns.length)}`)
for (const row of rows) console.log(`| ${row} | ${columns.map(([, { figures }]) => figures[row]).join(' | ')} |`)
for (const [name, { lists }] of columns)
  for (const [title, list] of Object.entries(lists))
    console.log(`\n${name}: ${title}\n${list.map((line) => `  ${line}\n`).join('') || '  none\n'}`.trimEnd())

function measure(name) {
  const folder = join(root, name)
  const files = typescriptFiles(folder).map(measureFile)
  const lines = files.map((file) => file.lines)
  const functions = files.flatMap((file) => file.functions)
  const lengths = functions.map(({ length }) => length)
  const exported = files.flatMap((file) => file.exported)
  const arrows = importArrows(folder)
  const folders = folderArrows(folder, arrows)
  const both = [...folders].flatMap(([a, to]) =>
    [...to].filter((b) => a < b && folders.get(b)?.has(a)).map((b) => [a, b]),
  )
  const atRuntime = circles(fileGraph(arrows.filter(({ typeOnly }) => !typeOnly)))
  const withTypes = circles(fileGraph(arrows))
  const spread = (values, ...shares) =>
    [...shares.map((each) => quantile(values, each)), Math.max(...values)].join(' / ')
  const sum = (values) => values.reduce((total, value) => total + value, 0)
  const share = (part, whole) => `${((100 * part) / Math.max(whole, 1)).toFixed(0)} %`
  const place = ({ file, line, length }) => `${length} lines: ${relative(root, file)}:${line}`
  return {
    figures: {
      files: files.length,
      lines: sum(lines),
      'lines of a file: median / p90 / max': spread(lines, 0.5, 0.9),
      'files > 250 lines': lines.filter((each) => each > 250).length,
      'files < 20 lines': lines.filter((each) => each < 20).length,
      functions: functions.length,
      'lines of a function: median / p90 / p99 / max': spread(lengths, 0.5, 0.9, 0.99),
      'functions > 50 lines': lengths.filter((each) => each > 50).length,
      'functions with 5 and more parameters': functions.filter(({ parameters }) => parameters >= 5).length,
      'lines of comment': share(sum(files.map(({ comments }) => comments)), sum(lines)),
      'exported names with a doc comment': share(
        exported.filter(({ documented }) => documented).length,
        exported.length,
      ),
      'pairs of folders that import each other': both.length,
      'files in import cycles: at run time / with types': `${atRuntime.flat().length} / ${withTypes.flat().length}`,
    },
    lists: {
      'files > 250 lines': files
        .filter((file) => file.lines > 250)
        .sort((a, b) => b.lines - a.lines)
        .map((file) => `${file.lines} lines: ${relative(root, file.file)}`),
      'longest functions': [...functions]
        .sort((a, b) => b.length - a.length)
        .slice(0, 10)
        .map(place),
      'folders that import each other': both.map((pair) => pair.join(' ⇄ ')),
      'import cycles': withTypes.map((group) => group.map((file) => relative(root, file)).join(' · ')),
    },
  }
}
