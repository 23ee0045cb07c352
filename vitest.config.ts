import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { SlowestFirst } from './tests/support/slowest-first.js'

/**
 * - unit    needs nothing but node_modules: no build, TensorFlow, broker or browser
 * - engine  loads TensorFlow in its own process
 * - kafka   talks to a real broker; daemons run as processes of their own
 * - system  runs the built command line, other processes, a browser, or tools of the machine
 */
type Project = 'unit' | 'engine' | 'kafka' | 'system'

/** Folders and files under tests/ and their project; the longest entry decides. */
const PROJECTS: Readonly<Record<string, Project>> = {
  'adapters/weights/peft-golden': 'engine',
  'bench/gpu/run': 'system',
  cli: 'system',
  'cli/adapters': 'unit',
  'cli/check/servers': 'unit',
  'cli/config': 'unit',
  'cli/demo-burst': 'unit',
  'cli/exposure-findings': 'unit',
  'cli/output': 'unit',
  'daemon/in-process': 'engine',
  // measures memory
  'daemon/stream/partition-reader': 'system',
  demo: 'system',
  'demo/world': 'unit',
  deploy: 'system',
  engine: 'engine',
  'grafana/look': 'system',
  learner: 'engine',
  // TensorFlow plays no part in these
  'engine/protobuf-wire': 'unit',
  'engine/used-places': 'unit',
  'engine/cluster/server-status': 'unit',
  'engine/cluster/worker-name': 'unit',
  'engine/compilation-cache': 'unit',
  'engine/environment': 'unit',
  'learner/affordable-shapes': 'unit',
  'learner/devices': 'unit',
  'learner/execution': 'unit',
  'learner/execution/trials': 'engine',
  'learner/measuring-shapes': 'unit',
  'learner/packed-events': 'unit',
  'learner/packed-shapes': 'unit',
  'learner/quarantine': 'unit',
  'learner/rounds': 'unit',
  'learner/side-by-side': 'unit',
  'loss/bco': 'engine',
  'model/attention': 'engine',
  products: 'system',
  scripts: 'system',
  'scripts/demo-serving': 'unit',
  // runs what the last build says
  's3/kill': 'system',
  'server/browser': 'system',
  sklearn: 'system',
  // measures memory
  'streams/event-bytes': 'system',
  // imports the build beside the sources
  'streams/kafka/patches': 'system',
  'text/text-process': 'system',
  tutorial: 'system',
  'tutorial/page': 'unit',
  vllm: 'system',
}
/** A test that imports one of these talks to a broker. */
const BROKER = /\/support\/(test-broker|kafka-broker|daemon)\.js'/

/** Minutes each: `make test-faults`, `make devices-test`, `make soak` and `make dashboards-test` run them. */
const LONG = process.env.BCOD_TEST_FAULTS ? [] : ['faults', 'grafana/live', 'learner/workers/faults', 'soak']

const tests = join(import.meta.dirname, 'tests')
const entries = Object.keys(PROJECTS).sort((a, b) => b.length - a.length)
const within = (path: string) => (entry: string) => path.startsWith(`${entry}/`) || path === `${entry}.test.ts`
const files = readdirSync(tests, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .filter((path) => !LONG.some(within(path)))

function projectOf(path: string): Project {
  if (BROKER.test(readFileSync(join(tests, path), 'utf8'))) return 'kafka'
  return PROJECTS[entries.find(within(path)) ?? ''] ?? 'unit'
}

const shared = {
  pool: 'forks',
  maxWorkers: Math.min(4, availableParallelism()),
  // of what hangs: a busy machine has time for the slowest
  testTimeout: 180_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 10_000 } },
  env: { TF_CPP_MIN_LOG_LEVEL: '2', TF_ENABLE_ONEDNN_OPTS: '1' },
} as const

function project(name: Project, groupOrder: number) {
  const mine = files.filter((path) => projectOf(path) === name)
  return { ...shared, name, include: mine.map((path) => `tests/${path}`), sequence: { groupOrder } }
}

const build = 'tests/support/global-setup.ts'

export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
    coverage: { provider: 'v8', include: ['src/**/*.ts'], reporter: ['json'] },
    // one after the other, in this order; two files of one at a time on two cores
    projects: [
      { test: { ...project('unit', 0), isolate: false, setupFiles: ['tests/support/no-tensorflow.ts'] } },
      { test: { ...project('engine', 1), globalSetup: [build] } },
      { test: { ...project('kafka', 2), globalSetup: [build, 'tests/support/global-broker.ts'] } },
      { test: { ...project('system', 3), globalSetup: [build] } },
    ],
  },
})
