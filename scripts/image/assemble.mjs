// Lays out what the container image holds, a folder for each of its layers: `node scripts/image/assemble.mjs DIR`.
// Needs a checkout that is set up; BCOD_TF=gpu takes the CUDA build and downloads CUDA's libraries.
//   DIR/system         of Debian what the rest loads, the user, the volumes
//   DIR/libtensorflow  the C library, and CUDA beside it
//   DIR/node_modules   production packages, of them what can be loaded
//   DIR/app            dist, package.json, LICENSE, sbom.cdx.json
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TENSORFLOW } from '../tensorflow.mjs'
import { fetchCuda, LIBRARY_FOLDERS } from './cuda.mjs'
import { neededFiles, PRE_GYP, shippedPackages } from './packages.mjs'
import { sbom } from './sbom.mjs'
import { layOutLoaderCache, layOutSystem, layOutVolumes } from './system.mjs'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))
const variant = process.env.BCOD_TF === 'gpu' ? 'gpu' : 'cpu'
const TFJS = join('node_modules', '@tensorflow', 'tfjs-node-gpu')
const LIBRARIES = join('libtensorflow', `${TENSORFLOW}-${variant}`)

const NATIVE = /\.(node|so(\.\d+)*)$|\/(ptxas|bcod_worker)$/

const copy = (from, to) => {
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}

/** libtensorflow_*.so.2, and in the GPU variant `nvidia/` where libtensorflow looks for it. */
function layOutTensorFlow(out) {
  const from = realpathSync(join(root, TFJS, 'deps', 'lib'))
  const files = readdirSync(from).filter((name) => name.endsWith('.so.2'))
  for (const name of files) copy(join(from, name), join(out, LIBRARIES, 'lib', name))
  if (variant === 'gpu') fetchCuda(join(out, LIBRARIES))
}

function layOutPackages(out) {
  for (const { path, name } of shippedPackages(root))
    for (const file of neededFiles(join(root, path), name)) copy(join(root, path, file), join(out, path, file))
  copy(join(root, 'scripts', 'image', 'node-pre-gyp.cjs'), join(out, PRE_GYP, 'index.js'))
  const deps = join(out, TFJS, 'deps')
  symlinkSync(relative(deps, join(out, LIBRARIES, 'lib')), join(deps, 'lib'))
}

function layOutProgram(out, system) {
  const app = join(out, 'app')
  for (const file of filesIn(join(root, 'dist')).filter((path) => !/\.(map|d\.ts)$|\.built$/.test(path)))
    copy(file, join(app, relative(root, file)))
  for (const file of ['package.json', 'LICENSE']) copy(join(root, file), join(app, file))
  const files = [...nativeFiles(out), ...system.libraries]
  const document = sbom({ root, variant, files, packages: system.packages })
  writeFileSync(join(app, 'sbom.cdx.json'), `${JSON.stringify(document, null, 1)}\n`)
}

const nativeFiles = (out) =>
  [...filesIn(join(out, LIBRARIES)), ...filesIn(join(out, 'node_modules'))].filter((path) => NATIVE.test(path))

/** In the GPU variant the loader is told of CUDA's folders. */
function tellLoader(out) {
  if (variant !== 'gpu') return
  const folders = LIBRARY_FOLDERS.map((folder) => join('/app', LIBRARIES, folder))
  const layers = { '/': join(out, 'system'), '/app/libtensorflow': join(out, 'libtensorflow') }
  const scratch = join(out, 'loader')
  layOutLoaderCache(layers, folders, scratch)
  rmSync(scratch, { recursive: true })
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** Readable by every user and writable by none but root; scripts of packages cannot be run by themselves; one date: the same build gives the same layers. */
function normalise(path) {
  const stat = statSync(path)
  chmodSync(path, stat.isDirectory() || NATIVE.test(path) ? 0o755 : 0o644)
  if (stat.isDirectory())
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const child = join(path, entry.name)
      if (entry.isSymbolicLink()) lutimesSync(child, 0, 0)
      else normalise(child)
    }
  lutimesSync(path, 0, 0)
}

const [out] = process.argv.slice(2)
if (out === undefined) throw new Error('usage: node scripts/image/assemble.mjs DIR')
rmSync(out, { recursive: true, force: true })
layOutTensorFlow(out)
layOutPackages(out)
layOutProgram(out, layOutSystem(join(out, 'system'), [process.execPath, ...nativeFiles(out)]))
tellLoader(out)
normalise(out)
layOutVolumes(join(out, 'system'))
