// What of node_modules the daemon needs when it runs: which packages, and which of their files.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** The packages of package-lock.json that are not for development alone, and are there: optional ones may be for other systems. */
export function productionPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  return Object.entries(packages)
    .filter(([path, { dev }]) => path !== '' && !dev)
    .filter(([path, { optional }]) => {
      const there = existsSync(join(root, path, 'package.json'))
      if (!there && !optional) throw new Error(`${path} is not installed`)
      return there
    })
    .map(([path, { version }]) => ({ path, name: path.split('node_modules/').at(-1), version }))
}

const SOURCES = /\.(map|flow|[cm]?tsx?|h|hh|hpp|c|cc|cpp|gyp|gypi|py|sh|html|tgz)$/i
const NOT_AT_RUN_TIME = new Set([
  'test',
  'tests',
  'example',
  'examples',
  'benchmark',
  'docs',
  '.github',
  'node_modules',
])
const LICENCE = /^(licen[cs]e|copying|notice)/i
/** tfjs ships each part as ten bundles for browsers; Node reads `main`. */
const TFJS = /^@tensorflow\/tfjs(?!-node)/

/** Paths of a package's files that can be loaded, and of its licences. Nested packages are packages of their own. */
export function neededFiles(folder, name) {
  if (TFJS.test(name)) {
    const { main } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const licences = readdirSync(folder).filter((file) => LICENCE.test(file))
    return ['package.json', ...licences, main]
  }
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return NOT_AT_RUN_TIME.has(entry.name) ? [] : filesBelow(folder, entry.name)
    return entry.isFile() && needed(entry.name) ? [entry.name] : []
  })
}

const needed = (path) => LICENCE.test(basename(path)) || !(SOURCES.test(path) || /\.(md|markdown)$/i.test(path))

const filesBelow = (folder, below) =>
  readdirSync(join(folder, below), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && needed(entry.name))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((path) => !path.split('/').includes('node_modules'))
