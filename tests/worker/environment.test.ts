import { expect, it } from 'vitest'
import { workerEnvironment } from '../../src/worker/environment.js'

it('the program gets what TensorFlow reads, and no secret', () => {
  const environment = workerEnvironment(
    { threads: 3, interOpThreads: 5, kernels: 'eigen' },
    {
      ...{ PATH: '/bin', LD_LIBRARY_PATH: '/lib', CUDA_VISIBLE_DEVICES: '1', TF_XLA_FLAGS: '--x', XLA_FLAGS: '--y' },
      ...{
        BCOD_STREAM_SASL_PASSWORD: 'secret',
        AWS_SECRET_ACCESS_KEY: 'secret',
        NODE_OPTIONS: '--inspect',
        http_proxy: 'x',
      },
    },
  )
  expect(environment).toEqual({
    ...{ PATH: '/bin', LD_LIBRARY_PATH: '/lib', CUDA_VISIBLE_DEVICES: '1', TF_XLA_FLAGS: '--x' },
    XLA_FLAGS: '--xla_gpu_deterministic_ops=true --y',
    TF_NUM_INTRAOP_THREADS: '3',
    TF_NUM_INTEROP_THREADS: '5',
    TF_ENABLE_ONEDNN_OPTS: '0',
    TF_CPP_MIN_LOG_LEVEL: '2',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  })
})
