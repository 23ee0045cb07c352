// Fetches libtensorflow, as tensorflow.mjs pins it, into bcod's cache.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheRoot, once } from './cache.mjs'
import { TENSORFLOW, WHEELS } from './tensorflow.mjs'

const UNPACK = `
import sys, zipfile
wheel, target = sys.argv[1:]
headers = tuple('tensorflow/include/' + p for p in ('tensorflow/c/', 'tensorflow/core/platform/', 'tsl/', 'xla/tsl/'))
with zipfile.ZipFile(wheel) as z:
    for name in z.namelist():
        if name.startswith(headers) or name.startswith('tensorflow/libtensorflow_'):
            z.extract(name, target)
`

const run = (...args) => execFileSync('python3', args, { stdio: ['ignore', 2, 2] })

/**
 * libtensorflow from the Python wheel, once.
 *
 * @param variant  `cpu` or `gpu`
 * @param say      told before what takes long
 * @returns the folder in the cache, with `lib` and `include`
 */
export function fetchTensorFlow(variant, say) {
  const cache = cacheRoot()
  const target = join(cache, 'libtensorflow', `${TENSORFLOW}-${variant}`)
  once(target, (dir) => {
    const { name, megabytes, sha256 } = WHEELS[variant]
    say(`downloading ${name} ${TENSORFLOW} (${megabytes} MB, once; kept in ${cache})`)
    const platform = ['--python-version', '3.11', '--platform', 'manylinux_2_27_x86_64']
    const requirement = join(dir, 'requirement.txt')
    writeFileSync(requirement, `${name}==${TENSORFLOW} --hash=sha256:${sha256}\n`)
    const pip = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      ...platform,
      '--require-hashes',
    ]
    run(...pip, '-d', dir, '-r', requirement)
    rmSync(requirement)
    const wheel = readdirSync(dir).find((file) => file.endsWith('.whl'))
    say('unpacking it')
    run('-c', UNPACK, join(dir, wheel), dir)
    rmSync(join(dir, wheel))
    renameSync(join(dir, 'tensorflow', 'include'), join(dir, 'include'))
    mkdirSync(join(dir, 'lib'))
    for (const [library, link] of [
      ['cc', 'libtensorflow.so'],
      ['framework', 'libtensorflow_framework.so'],
    ]) {
      const file = `libtensorflow_${library}.so.2`
      renameSync(join(dir, 'tensorflow', file), join(dir, 'lib', file))
      symlinkSync(file, join(dir, 'lib', link))
    }
    rmSync(join(dir, 'tensorflow'), { recursive: true })
  })
  return target
}
