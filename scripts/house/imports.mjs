// Who imports whom: the arrows between the TypeScript files of a folder, between its own folders, and their circles.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { parseAst } from 'vitest/node'

/** Every TypeScript file of a folder, sorted. */
export const typescriptFiles = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /(?<!\.d)\.ts$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** The syntax tree of a file, in ESTree's form with TypeScript's nodes. */
export const parseFile = (file) => parseAst(readFileSync(file, 'utf8'), { lang: 'ts' }, file)

/** Calls `visit` for a node and all that is in it. */
export function walk(node, visit) {
  if (Array.isArray(node)) return node.forEach((each) => void walk(each, visit))
  if (typeof node?.type !== 'string') return
  visit(node)
  for (const key of Object.keys(node)) walk(node[key], visit)
}

/**
 * Imports and re-exports between the files of a folder.
 *
 * @returns one arrow for each statement; `typeOnly` if nothing of it is left when the program runs
 */
export function importArrows(folder) {
  const files = typescriptFiles(folder)
  const known = new Set(files)
  return importsOf(files)
    .map(({ file, source, typeOnly }) => ({
      ...{ from: file, typeOnly },
      to: join(dirname(file), source.replace(/\.js$/, '.ts')),
    }))
    .filter(({ to }) => known.has(to))
}

/** Which file imports which package; not Node's own modules. */
export const packageImports = (folder) =>
  importsOf(typescriptFiles(folder))
    .filter(({ source }) => !/^(\.|node:)/.test(source))
    .map(({ file, source, typeOnly }) => ({ file, package: /^(@[^/]+\/)?[^/]+/.exec(source)[0], typeOnly }))

const importsOf = (files) => files.flatMap((file) => importedBy(parseFile(file)).map((each) => ({ file, ...each })))

function importedBy(program) {
  const found = []
  walk(program, (node) => {
    const source = node.source?.value ?? node.argument?.literal?.value
    if (!IMPORTS.has(node.type) || typeof source !== 'string') return
    const named = node.specifiers ?? []
    const kind = node.importKind ?? node.exportKind
    const types = named.length > 0 && named.every((each) => (each.importKind ?? each.exportKind) === 'type')
    found.push({ source, typeOnly: node.type === 'TSImportType' || kind === 'type' || types })
  })
  return found
}

const IMPORTS = new Set([
  'ImportDeclaration',
  'ExportNamedDeclaration',
  'ExportAllDeclaration',
  'ImportExpression',
  'TSImportType',
])

/** The folder that a file of `root` is in, at the first level; `errors.ts` beside `errors/` belongs to `errors`. */
export const folderOf = (root, file) => relative(root, file).split(sep)[0].replace(/\.ts$/, '')

/** The arrows between the folders of `root`: folder → the folders that it imports from, types included. */
export function folderArrows(root, arrows) {
  const folders = new Map()
  for (const { from, to } of arrows) {
    const [a, b] = [folderOf(root, from), folderOf(root, to)]
    if (a !== b) folders.set(a, new Set([...(folders.get(a) ?? []), b]))
  }
  return folders
}

/** Groups of nodes that reach each other (Tarjan's strongly connected components of two and more). */
export function circles(graph) {
  const [index, low, stack, found] = [new Map(), new Map(), [], []]
  const connect = (node) => {
    index.set(node, index.size)
    low.set(node, index.get(node))
    stack.push(node)
    for (const next of graph.get(node) ?? []) {
      if (!index.has(next)) connect(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node), low.get(next)))
    }
    if (low.get(node) !== index.get(node)) return
    const group = stack.splice(stack.indexOf(node))
    if (group.length > 1) found.push(group.sort())
  }
  for (const node of graph.keys()) if (!index.has(node)) connect(node)
  return found
}

/** file → files that it imports. */
export function fileGraph(arrows) {
  const graph = new Map()
  for (const { from, to } of arrows) graph.set(from, [...(graph.get(from) ?? []), to])
  return graph
}
