// `make image`: builds Containerfile with buildah, podman or docker, whichever is there. BCOD_TF=gpu builds the CUDA
// image; FLAGS are handed on to the builder.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const BUILDERS = { buildah: ['bud', '--layers'], podman: ['build'], docker: ['build'] }

/** Builds the image and returns its name, `bcod:VERSION` or `bcod:VERSION-gpu`. */
function buildImage(flags) {
  const builder = Object.keys(BUILDERS).find((name) => spawnSync(name, ['--version']).status === 0)
  if (builder === undefined) throw new Error('install buildah, podman or docker: Debian: apt-get install buildah')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const variant = process.env.BCOD_TF === 'gpu' ? 'gpu' : 'cpu'
  const name = `bcod:${version}${variant === 'gpu' ? '-gpu' : ''}`
  const given = ['--build-arg', `BCOD_TF=${variant}`, '--label', `org.opencontainers.image.revision=${revision()}`]
  const command = [...BUILDERS[builder], '--file', 'Containerfile', '--tag', name, ...given, ...flags, '.']
  execFileSync(builder, command, { cwd: root, stdio: ['ignore', 2, 2] })
  return name
}

/** The commit, marked where files differ from it. */
function revision() {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--abbrev=40', '--dirty', '--exclude=*'], {
    cwd: root,
    encoding: 'utf8',
  })
  return status === 0 ? stdout.trim() : 'unknown'
}

console.log(buildImage(process.argv.slice(2)))
