import { configDefaults, defineConfig } from 'vitest/config'

/** Tests that start a broker, a daemon, a browser or TensorFlow, or that run the built command line. */
const SYSTEM = [
  'tests/{cli,demo,deploy,docs,engine,faults,grafana,learner,scripts,sklearn,soak}/**/*.test.ts',
  // the parts of the daemon are unit tests
  'tests/daemon/!(adapter-publisher|checkpointer|daemon|leadership|offset-committer|pipeline|restore|retention|serial-queue|start-positions|status|trainer).test.ts',
  'tests/adapters/peft-golden.test.ts',
  'tests/model/attention.test.ts',
  'tests/text/text-process.test.ts',
  'tests/server/browser.test.ts',
  'tests/streams/kafka/**/*.test.ts',
]

const shared = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 120_000,
  env: { TF_CPP_MIN_LOG_LEVEL: '2', TF_ENABLE_ONEDNN_OPTS: '1' },
} as const

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['tests/**/*.test.ts'],
          exclude: [...configDefaults.exclude, ...SYSTEM],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'system',
          include: SYSTEM,
          // `make test-faults`: minutes each
          exclude: [...configDefaults.exclude, ...(process.env.BCOD_TEST_FAULTS ? [] : ['tests/faults/**'])],
          globalSetup: ['tests/support/global-setup.ts'],
          // TensorFlow reads its thread count once per process and a broker wants a core of its own: one file at a time
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
