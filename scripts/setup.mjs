// Makes a fresh checkout ready: node_modules, libtensorflow 2.21, the addon of @tensorflow/tfjs-node-gpu built on it, dist/.
// `--tests` adds what the tests need (the jars of a real Kafka broker); `--packages` stops after node_modules, which is
// all that lint and the unit tests need. Idempotent: what is in place is left alone.
// BCOD_CACHE moves the cache, BCOD_TF=gpu takes the CUDA build of libtensorflow.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'
import { cacheRoot, once } from './cache.mjs'
import { fetchTensorFlow } from './libtensorflow.mjs'
import { placeFile, placeLink } from './place.mjs'
import { TENSORFLOW } from './tensorflow.mjs'

const ADDON = 'tfjs_binding.node'
/** Our own small addons: their names in deps/, and their sources. */
const OWN_ADDONS = {
  'bcod_quiet_load.node': 'quiet-load.cc',
  'bcod_death_notice.node': 'death-notice.cc',
  'bcod_gpu_numerics.node': 'gpu-numerics.cc',
  'bcod_sessions.node': 'sessions.cc',
}
/** Calls the C library; the others load it, or find what they need of it once it is loaded. */
const LINKED = 'bcod_sessions.node'
/** The worker of a cluster: a program beside the addons. */
const WORKER = 'bcod_worker'
/** Sources that are no addon by themselves. */
const FURTHER_SOURCES = ['worker.cc', 'one-address.h', 'gpu-switches.h']
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cache = cacheRoot()
const variant = process.env.BCOD_TF === 'gpu' ? 'gpu' : 'cpu'
const forTests = process.argv.includes('--tests')
const packagesOnly = process.argv.includes('--packages')

const say = (text) => console.error(`setup: ${text}`)
const run = (command, args, options = {}) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
const answers = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0
const major = (text) => Number(/(\d+)/.exec(text)?.[1])

/** Names every missing tool with its remedy before anything is downloaded. */
function checkTools() {
  const missing = []
  const need = (ok, what, remedy) => ok || missing.push(`  ${what}\n      ${remedy}`)
  const [node, minor] = process.versions.node.split('.').map(Number)
  need(
    // from these on there is crc32 in node:zlib
    minor >= ({ 20: 15, 22: 2, 24: 0 }[node] ?? Infinity),
    `Node 22 (22.2 or newer) or 24 (found ${process.versions.node})`,
    'install Node 24: https://nodejs.org',
  )
  if (node === 20) say('Node 20 is past its end of life: it works, and gets no security fixes. Install Node 24.')
  need(answers('npm', '--version'), 'npm', 'it comes with Node: https://nodejs.org')
  if (!packagesOnly) {
    need(
      process.platform === 'linux' && process.arch === 'x64',
      `Linux on x86-64 (found ${process.platform} ${process.arch})`,
      'run it there or in a container',
    )
    need(answers('python3', '-m', 'pip', '--version'), 'Python 3 with pip', 'Debian: apt-get install python3-pip')
    need(answers('c++', '--version'), 'a C++ compiler (c++)', 'Debian: apt-get install g++')
  }
  if (forTests) {
    const java = spawnSync('java', ['-version'], { encoding: 'utf8' })
    const version = java.status === 0 ? major(/version "([^"]+)"/.exec(java.stderr + java.stdout)?.[1] ?? '0') : 0
    need(
      version >= 17,
      `Java 17 or newer (found ${version || 'none'})`,
      'Debian: apt-get install openjdk-17-jre-headless',
    )
    need(answers('mvn', '-version'), 'Maven', 'Debian: apt-get install maven')
  }
  if (missing.length === 0) return
  console.error(
    `setup: missing on this machine:\n${missing.join('\n')}\nNothing was downloaded. Install them and run it again.`,
  )
  process.exit(1)
}

/** node_modules as package-lock.json says; install scripts never run (.npmrc). */
function installPackages() {
  const stamp = join(root, 'node_modules', '.bcod-lock')
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return
  say('installing npm packages')
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(stamp, hash)
}

/**
 * The package's own addon sources, unmodified, compiled against that library; and our small addons: one runs sessions,
 * one loads the library without its notices, one names a crash, one switches how a GPU computes. All speak N-API: one
 * build for all Nodes. Beside them the program that `bcod worker` runs, which needs no Node.
 */
function buildAddon(tensorflow) {
  const source = (file) => join(root, 'scripts', 'addon', file)
  const own = Object.entries(OWN_ADDONS).map(([name, file]) => [name, source(file)])
  const hash = createHash('sha256')
  for (const file of [...Object.values(OWN_ADDONS), ...FURTHER_SOURCES]) hash.update(readFileSync(source(file)))
  const revision = hash.digest('hex').slice(0, 12)
  const pkg = join(root, 'node_modules', '@tensorflow', 'tfjs-node-gpu')
  const manifest = JSON.parse(readFileSync(join(pkg, 'package.json'), 'utf8'))
  const napi = Math.max(...manifest.binary.napi_versions.filter((v) => v <= Number(process.versions.napi)))
  const built = join(cache, 'addon', `${manifest.version}-tf${TENSORFLOW}-${variant}-napi${napi}-${revision}`)
  once(built, (dir) => {
    say('building the TensorFlow addon')
    const includes = [join(root, 'node_modules', 'node-api-headers', 'include'), join(tensorflow, 'include')]
    const compile = (output, ...args) =>
      run('c++', [
        ...['-O2', '-std=c++17', '-fPIC', '-w', `-DNAPI_VERSION=${napi}`, '-DBUILDING_NODE_EXTENSION'],
        ...includes.map((folder) => `-I${folder}`),
        ...args,
        ...['-o', join(dir, output)],
      ])
    const library = [`-L${join(tensorflow, 'lib')}`, '-ltensorflow', '-ltensorflow_framework']
    const theirs = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((file) => join(pkg, 'binding', file))
    compile(ADDON, '-shared', ...theirs, ...library, '-Wl,-rpath,$ORIGIN/../../deps/lib')
    const beside = ['-pthread', '-ldl', '-Wl,-rpath,$ORIGIN/lib']
    for (const [name, file] of own) compile(name, '-shared', file, ...(name === LINKED ? library : []), ...beside)
    compile(WORKER, source('worker.cc'), ...library, ...beside)
  })
  // npm ci wipes these; they are put back from the cache. A daemon may have them mapped.
  const deps = join(pkg, 'deps')
  placeLink(join(tensorflow, 'lib'), join(deps, 'lib'))
  for (const name of [...own.map(([name]) => name), WORKER]) placeFile(join(built, name), join(deps, name))
  placeFile(join(built, ADDON), join(pkg, 'lib', `napi-v${napi}`, ADDON))
}

const started = Date.now()
checkTools()
installPackages()
if (!packagesOnly) {
  buildAddon(fetchTensorFlow(variant, say))
  if (forTests) {
    const { ensureKafkaJars } = await import('./kafka-jars.mjs')
    await ensureKafkaJars(cache)
  }
  build()
}
say(`ready in ${((Date.now() - started) / 1000).toFixed(1)} s`)
