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

/**
 * What TensorFlow's package brings along to install itself. The addon is built by the set-up and nothing is installed in
 * the image, so an archiver and a downloader would only be of use to an intruder. `image/node-pre-gyp.cjs` stands for the
 * one function of them that is called at run time: where the addon is.
 */
const INSTALLERS = new Set([
  ...['@mapbox/node-pre-gyp', 'tar', 'fs-minipass', 'minizlib', 'minipass', 'chownr', 'mkdirp', 'adm-zip', 'make-dir'],
  ...['nopt', 'npmlog', 'gauge', 'are-we-there-yet', 'rimraf', 'https-proxy-agent', 'agent-base', 'detect-libc'],
])
export const PRE_GYP = 'node_modules/@mapbox/node-pre-gyp'

/** The packages whose files go into the image. */
export const shippedPackages = (root) =>
  productionPackages(root).filter(
    ({ path }) => !path.split('node_modules/').some((part) => INSTALLERS.has(part.replace(/\/$/, ''))),
  )

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
