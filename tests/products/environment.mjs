// The products of `make import-test`, each in a Python environment of its own in bcod's cache, with the versions that its
// list pins. No other target needs them. Idempotent; BCOD_CACHE moves the cache, PYTHON names the Python (3.11 or 3.12).
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from '../../scripts/cache.mjs'

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

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const product of PRODUCTS) productEnvironment(product)
