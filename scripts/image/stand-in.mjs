// Base images for a machine that reaches Debian's and npm's registries, and none of images: Debian by mmdebstrap, Node
// by copying this machine's. They are tagged with the names that Containerfile asks for, and are for tests alone; what is
// built on them bears their label, bcod.stand-in: `node scripts/image/stand-in.mjs BUILD_IMAGE RUN_IMAGE`.
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { commit, run, runIn } from './buildah.mjs'

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const TRUSTED = '/usr/local/share/trusted.crt'
/** What Debian's own slim images leave out. */
const LEFT_OUT = ['doc', 'groff', 'info', 'linda', 'lintian', 'locale', 'man'].map((name) => `/usr/share/${name}/*`)
const KEPT = '/usr/share/doc/*/copyright'

/** Makes `runImage`, Debian bookworm, and from it `buildImage`, with Node, npm and this machine's trusted certificates. */
function makeStandIns(buildImage, runImage) {
  const scratch = mkdtempSync(join(tmpdir(), 'bcod-base-'))
  try {
    const archive = join(scratch, 'debian.tar')
    const slim = [...LEFT_OUT.map((path) => `path-exclude=${path}`), `path-include=${KEPT}`]
    const clean = 'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
    run(
      'mmdebstrap',
      ...['--quiet', '--variant=minbase', ...slim.map((option) => `--dpkgopt=${option}`)],
      ...[`--customize-hook=${clean}`, 'bookworm', archive, 'http://deb.debian.org/debian'],
    )
    commit('scratch', runImage, (container) => {
      run('buildah', 'add', '--quiet', container, archive, '/')
      run('buildah', 'config', '--env', `PATH=${PATH}`, container)
    })
    commit(runImage, buildImage, (container) => addNode(container))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** node and npm where the public image has them; the certificates, because a proxy may stand before the registries. */
function addNode(container) {
  const npm = dirname(dirname(realpathSync(run('which', 'npm'))))
  run('buildah', 'copy', '--quiet', container, process.execPath, '/usr/local/bin/node')
  run('buildah', 'copy', '--quiet', container, npm, '/usr/local/lib/node_modules/npm')
  for (const name of ['npm', 'npx'])
    runIn(container, 'ln', '-s', `../lib/node_modules/npm/bin/${name}-cli.js`, `/usr/local/bin/${name}`)
  if (!existsSync(BUNDLE)) return
  run('buildah', 'copy', '--quiet', container, BUNDLE, TRUSTED)
  const trust = ['NODE_EXTRA_CA_CERTS', 'PIP_CERT'].flatMap((name) => ['--env', `${name}=${TRUSTED}`])
  run('buildah', 'config', ...trust, container)
}

const [buildImage, runImage] = process.argv.slice(2)
if (runImage === undefined) throw new Error('usage: node scripts/image/stand-in.mjs BUILD_IMAGE RUN_IMAGE')
makeStandIns(buildImage, runImage)
