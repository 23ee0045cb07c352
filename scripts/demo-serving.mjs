// `make demo-serving`: the whole circle of gateway, Kafka, bcod, gate and a real vLLM on this machine, with its set-up.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot } from './cache.mjs'
import { beforehand } from './demo-serving/words.mjs'
import { kafkaLibs } from './kafka-jars.mjs'
import { TENSORFLOW } from './tensorflow.mjs'
import { requireMachine, vllmEnvironment, vllmFolder } from './vllm/environment.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

/** What set-up fetches, and the minutes that it took on two cores. */
const PARTS = [
  { name: 'npm packages', size: '0.3 GB', minutes: 0.5, at: join(root, 'node_modules') },
  {
    ...{ name: "TensorFlow's C library", size: '274 MB, 1 GB on disk', minutes: 1 },
    at: join(cacheRoot(), 'libtensorflow', `${TENSORFLOW}-cpu`),
  },
  { name: 'Kafka', size: '43 MB', minutes: 0.5, at: kafkaLibs() },
  { name: 'vLLM for the CPU', size: '0.8 GB, 2.6 GB on disk', minutes: 2, at: vllmFolder() },
]

async function main() {
  console.log('gateway → Kafka → bcod → gate → vLLM → gateway, all on this machine.')
  console.log(`${beforehand(PARTS.filter(({ at }) => !existsSync(at)))}\n`)
  requireMachine()
  execFileSync(process.execPath, ['scripts/setup.mjs', '--tests'], { stdio: ['ignore', 2, 2] })
  vllmEnvironment()
  const { stopOnSignals } = await import('../dist/cli/stop-on-signals.js')
  const { story } = await import('./demo-serving/story.mjs')
  const stop = new AbortController()
  stopOnSignals(() => stop.abort())
  try {
    await story(stop.signal)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    return 130
  }
  return 0
}

// what was only about to start when it was stopped ends with this process
main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error.message)
    process.exit(1)
  },
)
