// The Python environment of `make demo-serving` and `make vllm-test`: vLLM built for the CPU, as requirements.lock.txt
// pins it with hashes, in bcod's cache. Idempotent; BCOD_CACHE moves the cache, PYTHON names the Python.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from '../cache.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const LOCK = here('requirements.lock.txt')
const STUBS = here('cuda_stubs.py')
const VERSION = '0.32.0'

/** Variables for its processes. */
export const VLLM_VARIABLES = {
  // one process for the engine; with two threads on a busy machine each waits for the other
  VLLM_ENABLE_V1_MULTIPROCESSING: '0',
  VLLM_CPU_OMP_THREADS_BIND: 'nobind',
  VLLM_CPU_KVCACHE_SPACE: '1',
  OMP_NUM_THREADS: '1',
  OMP_WAIT_POLICY: 'passive',
  // nothing of it leaves this machine
  HF_HUB_OFFLINE: '1',
  VLLM_NO_USAGE_STATS: '1',
  DO_NOT_TRACK: '1',
  TOKENIZERS_PARALLELISM: 'false',
}

const python = process.env.PYTHON ?? 'python3.11'

/** The environment's folder, which may not be there yet. */
export function vllmFolder() {
  const hash = createHash('sha256')
  for (const file of [LOCK, STUBS]) hash.update(readFileSync(file))
  return join(cacheRoot(), `vllm-${hash.digest('hex').slice(0, 12)}`)
}

/** Path of the environment's Python; builds the environment if it is missing (two minutes, 2.6 GB of disk). */
export function vllmEnvironment() {
  requireMachine()
  const target = vllmFolder()
  once(target, (directory) => build(directory, target))
  return join(target, 'bin', 'python')
}

/** @throws Error that names the first thing that is missing */
export function requireMachine() {
  const works = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('vLLM for the CPU needs Linux on x86-64')
  if (!/\bavx2\b/.test(readFileSync('/proc/cpuinfo', 'utf8'))) throw new Error('vLLM for the CPU needs AVX2')
  if (!works(python, ['-c', 'import sys, venv; sys.exit(sys.version_info[:2] != (3, 11))']))
    throw new Error(`Python 3.11 with venv is needed, which the lock is for; ${python} is not. Set PYTHON.`)
  for (const tool of ['gcc', 'nm', 'readelf'])
    if (!works(tool, ['--version'])) throw new Error(`${tool} is needed. Debian: apt-get install gcc binutils`)
  if (!/libnuma\.so\.1 /.test(execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' })))
    throw new Error('libnuma is needed. Debian: apt-get install libnuma1')
}

function build(directory, target) {
  const say = (text) => console.error(`vllm environment: ${text}`)
  // with a shell's PYTHONDONTWRITEBYTECODE each start would compile for minutes what it imports; so only the first does
  const { PYTHONDONTWRITEBYTECODE: _, PYTHONPATH: __, ...env } = process.env
  const run = (command, args) => execFileSync(command, args, { stdio: ['ignore', 2, 2], env })
  const own = join(directory, 'bin', 'python')
  say(`installing vLLM ${VERSION} for the CPU into ${target} (once; 0.8 GB to download, 2.6 GB on disk)`)
  run(python, ['-m', 'venv', directory])
  // the lock is complete; resolving it anew would pull in the CUDA wheels that torch declares
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile']
  run(own, [...pip, '--no-deps', '--only-binary=:all:', '--require-hashes', '-r', LOCK])
  const where = 'import sysconfig; print(sysconfig.get_path("platlib"))'
  const sitePackages = execFileSync(own, ['-c', where], { encoding: 'utf8', env }).trim()
  say('standing in for the CUDA libraries')
  run(own, [STUBS, sitePackages])
  // vLLM's command line asks for the version of a package named vllm, which this build is not named
  const info = join(sitePackages, `vllm-${VERSION}+cpu.dist-info`)
  mkdirSync(info)
  writeFileSync(join(info, 'METADATA'), `Metadata-Version: 2.1\nName: vllm\nVersion: ${VERSION}+cpu\n`)
  say('a first import')
  run(own, ['-W', 'ignore', '-c', 'import torch, vllm; print("vLLM", vllm.__version__, "torch", torch.__version__)'])
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(vllmEnvironment())
