// The Python environment of `make bench-trl`, `make test-peft` and `make test-trl`: TRL, PEFT and PyTorch as
// requirements.lock.txt pins them, in bcod's cache. No other target needs it. Idempotent; BCOD_CACHE moves the cache,
// PYTHON names the Python.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from '../../scripts/cache.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const LOCK = here('requirements.lock.txt')
const STUBS = here('cuda_stubs.py')
const candidates = process.env.PYTHON ? [process.env.PYTHON] : ['python3', 'python3.13', 'python3.12', 'python3.11']

/** Variables for its processes: no network, no progress bars, nothing written beside the sources. */
export const PYTHON_VARIABLES = {
  HF_HUB_OFFLINE: '1',
  HF_HUB_DISABLE_PROGRESS_BARS: '1',
  HF_DATASETS_DISABLE_PROGRESS_BARS: '1',
  TOKENIZERS_PARALLELISM: 'false',
  TQDM_DISABLE: '1',
  TRANSFORMERS_VERBOSITY: 'error',
  TRL_EXPERIMENTAL_SILENCE: '1',
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONWARNINGS: 'ignore::FutureWarning',
}

/** Path of the environment's Python; builds the environment if it is missing (minutes, 2.1 GB of disk). */
export function pythonEnvironment() {
  const { command, version } = findPython()
  const hash = createHash('sha256').update(version)
  for (const file of [LOCK, STUBS]) hash.update(readFileSync(file))
  const target = join(cacheRoot(), `trl-${hash.digest('hex').slice(0, 12)}`)
  once(target, (directory) => build(command, directory, target))
  return join(target, 'bin', 'python')
}

/** The first Python of at least 3.11, the oldest that the pinned packages take. */
function findPython() {
  for (const command of candidates) {
    const { status, stdout } = spawnSync(command, ['-c', 'import sys, venv; print(*sys.version_info[:2], sep=".")'], {
      encoding: 'utf8',
    })
    const version = stdout?.trim() ?? ''
    if (status === 0 && Number(version.split('.')[1]) >= 11) return { command, version }
  }
  throw new Error(
    `Python 3.11 or newer with venv is needed (tried ${candidates.join(', ')}). Debian: apt-get install python3-venv; or set PYTHON.`,
  )
}

function build(python, directory, target) {
  const say = (text) => console.error(`trl environment: ${text}`)
  const run = (command, args, options = {}) => execFileSync(command, args, { stdio: ['ignore', 2, 2], ...options })
  const own = join(directory, 'bin', 'python')
  say(`installing PyTorch, TRL and PEFT into ${target} (once; about 1 GB to download, 2.1 GB on disk)`)
  run(python, ['-m', 'venv', directory])
  // the lock is complete; resolving it anew would pull in the CUDA wheels that torch declares
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile']
  run(own, [...pip, '--no-deps', '--only-binary=:all:', '-r', LOCK])
  say('standing in for the CUDA libraries')
  const where = 'import sysconfig; print(sysconfig.get_path("platlib"))'
  const sitePackages = execFileSync(own, ['-c', where], { encoding: 'utf8' }).trim()
  run(own, [STUBS, sitePackages])
  const importAll = 'import torch, peft; from trl.experimental.bco import BCOTrainer; print(torch.__version__)'
  run(own, ['-c', importAll], { env: { ...process.env, ...PYTHON_VARIABLES } })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(pythonEnvironment())
