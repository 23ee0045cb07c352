import { configDefaults, defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    // `make test-faults`: minutes each
    exclude: [...configDefaults.exclude, ...(process.env.BCOD_TEST_FAULTS ? [] : ['tests/faults/**'])],
    globalSetup: ['tests/support/global-setup.ts'],
    // TensorFlow reads its thread count once per process and a broker wants a core of its own: one file at a time
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    env: { TF_CPP_MIN_LOG_LEVEL: '2', TF_ENABLE_ONEDNN_OPTS: '1' },
  },
})
