// The image's bill of materials, CycloneDX 1.5: what npm knows, Node, libtensorflow with its addons, CUDA.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { TENSORFLOW, WHEELS } from '../tensorflow.mjs'
import { pinnedWheels } from './cuda.mjs'
import { shippedPackages } from './packages.mjs'

/**
 * @param root     a checkout that is set up
 * @param variant  cpu or gpu
 * @param files    native files that go into the image: they are listed with their hashes
 * @param packages  of Debian, of which files go into the image
 */
export function sbom({ root, variant, files, packages = [] }) {
  const document = JSON.parse(
    execFileSync('npm', ['sbom', '--sbom-format', 'cyclonedx'], { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 }),
  )
  // `npm sbom --omit dev` leaves out what a tool asks for too, such as yaml: so the lock file decides
  const shipped = new Set(shippedPackages(root).map(({ name, version }) => `${name}@${version}`))
  const { component } = document.metadata
  delete document.serialNumber // the same build gives the same bytes
  delete document.metadata.timestamp
  Object.assign(component, { type: 'application', name: 'bcod' })
  document.components = document.components.filter((each) => shipped.has(each['bom-ref']))
  document.components.push(...nativeComponents(variant), ...packages.map(debianComponent))
  document.components.push(...files.map(fileComponent))
  document.dependencies = document.dependencies
    .filter(({ ref }) => ref === component['bom-ref'] || shipped.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((each) => shipped.has(each)) }))
  return document
}

function nativeComponents(variant) {
  const { name, sha256 } = WHEELS[variant]
  const node = process.versions.node
  return [
    {
      ...{ type: 'application', 'bom-ref': `node@${node}`, name: 'node', version: node },
      ...{ purl: `pkg:generic/node@${node}`, hashes: [{ alg: 'SHA-256', content: sha256Of(process.execPath) }] },
    },
    wheelComponent({ name, version: TENSORFLOW, sha256 }),
    ...(variant === 'gpu' ? pinnedWheels().map(wheelComponent) : []),
  ]
}

const wheelComponent = ({ name, version, sha256 }) => ({
  type: 'library',
  'bom-ref': `pypi:${name}@${version}`,
  name,
  version,
  purl: `pkg:pypi/${name}@${version}`,
  hashes: [{ alg: 'SHA-256', content: sha256 }],
})

const debianComponent = ({ name, version }) => ({
  type: 'library',
  'bom-ref': `deb:${name}@${version}`,
  name,
  version,
  purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=amd64`,
})

const fileComponent = (path) => ({
  type: 'file',
  'bom-ref': `file:${basename(path)}`,
  name: basename(path),
  hashes: [{ alg: 'SHA-256', content: sha256Of(path) }],
})

const sha256Of = (path) => createHash('sha256').update(readFileSync(path)).digest('hex')
