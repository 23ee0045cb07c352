// The products of `make import-test`, each in a folder of its own in bcod's cache: Python's with the versions that its list
// pins, Flowise with what npm gives for its version. No other target needs them. Idempotent; BCOD_CACHE moves the cache,
// PYTHON names the Python (3.11 or 3.12).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from '../../scripts/cache.mjs'
import { NODES, nodeOf } from '../../scripts/nodes.mjs'

export const PRODUCTS = ['mlflow', 'phoenix', 'open-webui', 'label-studio']

/** The folder of a product's programs; builds the environment if it is missing (about 800 MB each). */
export function productEnvironment(product) {
  const list = fileURLToPath(new URL(`${product}.txt`, import.meta.url))
  const hash = createHash('sha256').update(readFileSync(list)).digest('hex').slice(0, 12)
  const target = join(cacheRoot(), `${product}-${hash}`)
  once(target, (directory) => {
    console.error(`import test: installing ${product} into ${target}`)
    const run = (command, args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] })
    run(process.env.PYTHON ?? 'python3.11', ['-m', 'venv', directory])
    // the list is complete; Open WebUI would bring PyTorch, which its own slim image leaves out
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '-r', list]
    run(join(directory, 'bin', 'python'), pip)
  })
  return join(target, 'bin')
}

const FLOWISE = '3.1.4'

/**
 * Node 24 and the arguments that run Flowise; installs it if it is missing (2.7 GB). SQLite alone is compiled: its binary
 * would come from elsewhere, and what else has one is not used.
 */
export function flowiseProgram() {
  const [node24] = NODES
  const node = nodeOf(node24)
  const target = join(cacheRoot(), `flowise-${FLOWISE}-node-${node24.version}`)
  once(target, (directory) => {
    console.error(`import test: installing Flowise ${FLOWISE} into ${target}`)
    writeFileSync(join(directory, 'package.json'), '{"private":true}')
    const path = dirname(node) + delimiter + process.env.PATH
    const headers = { npm_config_nodedir: dirname(dirname(node)), npm_config_build_from_source: 'true' }
    const options = { cwd: directory, stdio: ['ignore', 2, 2], env: { ...process.env, PATH: path, ...headers } }
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    execFileSync('npm', ['install', '--ignore-scripts', '--legacy-peer-deps', ...quiet, `flowise@${FLOWISE}`], options)
    execFileSync('npm', ['rebuild', 'sqlite3', ...quiet], options)
  })
  return [node, join(target, 'node_modules', 'flowise', 'bin', 'run')]
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const product of PRODUCTS) productEnvironment(product)
  flowiseProgram()
}
