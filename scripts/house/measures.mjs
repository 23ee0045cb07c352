// Sizes of files and functions, comments, and what is exported without a word.
import { readFileSync } from 'node:fs'
import { parseFile, walk } from './imports.mjs'

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])

/** What is counted in one file. Lengths are in lines. */
export function measureFile(file) {
  const text = readFileSync(file, 'utf8')
  const lines = text.replace(/\n$/, '').split('\n')
  const program = parseFile(file)
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)]
  const functions = []
  walk(program, (node) => {
    if (!FUNCTIONS.has(node.type) || !node.body) return
    const [first, last] = [lineAt(starts, node.start), lineAt(starts, node.end - 1)]
    functions.push({ file, line: first + 1, length: last - first + 1, parameters: node.params.length })
  })
  return { file, lines: lines.length, comments: commentLines(lines), functions, exported: exportedNames(program, text) }
}

/** Index of the line that holds a position: the last that starts at or before it. */
function lineAt(starts, position) {
  let [low, high] = [0, starts.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (starts[middle] <= position) low = middle
    else high = middle - 1
  }
  return low
}

/** Lines that are nothing but comment. */
function commentLines(lines) {
  let [count, inside] = [0, false]
  for (const line of lines.map((each) => each.trim())) {
    if (inside || line.startsWith('//') || line.startsWith('/*')) count++
    if (line.startsWith('/*')) inside = true
    if (line.includes('*/')) inside = false
  }
  return count
}

/** Names that a file declares and exports, and whether a doc comment stands directly above. */
function exportedNames(program, text) {
  const found = []
  for (const { type, declaration, start } of program.body) {
    if (!/^Export(Named|Default)Declaration$/.test(type) || !declaration) continue
    const above = text.slice(0, start).trimEnd()
    const documented = above.endsWith('*/') && above.slice(above.lastIndexOf('/*')).startsWith('/**')
    const declared = declaration.declarations ?? [declaration]
    for (const { id } of declared) found.push({ name: id?.name ?? 'default', documented })
  }
  return found
}

/** The value below which a share of the values lies, by the nearest rank. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
}
