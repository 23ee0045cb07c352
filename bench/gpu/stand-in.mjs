// The environment of a program that is to find a GPU where there is none: TensorFlow's GPU build, the stand-in under the
// names of CUDA's libraries, and XLA's real tools. All of it is kept in bcod's cache.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CUDA_LIBRARIES } from '../../dist/cli/doctor/gpu.js'
import { cacheRoot, once } from '../../scripts/cache.mjs'
import { fetchCudaCompiler } from '../../scripts/image/cuda.mjs'
import { fetchTensorFlow } from '../../scripts/libtensorflow.mjs'

const FOLDER = fileURLToPath(new URL('stand-in', import.meta.url))

/**
 * Variables of such a program.
 *
 * @param counters  the file that is counted in (counters.mjs)
 * @param say       told before what takes long
 */
export function standInEnvironment(counters, say) {
  const libraries = [join(fetchTensorFlow('gpu', say), 'lib'), build()]
  const given = process.env.LD_LIBRARY_PATH
  // kernels that do not run win no contest: XLA takes the first
  const flags = [`--xla_gpu_cuda_data_dir=${fetchCudaCompiler(cacheRoot())}`, '--xla_gpu_autotune_level=0']
  return {
    ...process.env,
    // the addon finds its library through RUNPATH, which the loader asks after this
    LD_LIBRARY_PATH: [...libraries, ...(given ? [given] : [])].join(':'),
    XLA_FLAGS: [...flags, ...(process.env.XLA_FLAGS ? [process.env.XLA_FLAGS] : [])].join(' '),
    BCOD_STAND_IN: counters,
  }
}

/** @returns the folder of the library */
function build() {
  const files = readdirSync(FOLDER).map((name) => join(FOLDER, name))
  const sources = files.filter((path) => path.endsWith('.c'))
  const all = createHash('sha256').update(CUDA_LIBRARIES.join())
  for (const path of files) all.update(readFileSync(path))
  const hash = all.digest('hex').slice(0, 12)
  const target = join(cacheRoot(), 'stand-in', hash)
  once(target, (dir) => {
    const library = join(dir, 'libstand-in.so')
    const cc = ['-O1', '-shared', '-fPIC', '-fvisibility=hidden', '-w']
    execFileSync('cc', [...cc, '-o', library, ...sources], { stdio: ['ignore', 2, 2] })
    for (const name of CUDA_LIBRARIES) symlinkSync('libstand-in.so', join(dir, name))
  })
  return target
}
