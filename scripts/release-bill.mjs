// The bill of materials of a release: what package-lock.json and the pinned wheels say, and nothing of the machine on
// which it is made. The image has one of its own, with what was built (`scripts/image/sbom.mjs`).
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pinnedWheels } from './image/cuda.mjs'
import { TENSORFLOW, WHEELS } from './tensorflow.mjs'

/** CycloneDX 1.5, https://cyclonedx.org/docs/1.5/json/. Packages for development alone are marked as such. */
export function releaseBill(root) {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'))
  const { name, version, license } = packages['']
  const npm = Object.entries(packages)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => npmComponent(path.split('node_modules/').at(-1), entry))
  const wheels = [...Object.values(WHEELS).map((wheel) => ({ ...wheel, version: TENSORFLOW })), ...pinnedWheels()]
  const components = [...npm, ...wheels.map(wheelComponent)]
  const unique = new Map(components.map((component) => [component['bom-ref'], component]))
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: {
      component: {
        ...{ type: 'application', 'bom-ref': `${name}@${version}`, name, version },
        ...(license && { licenses: [{ license: { id: license } }] }),
      },
    },
    components: [...unique.values()].sort((a, b) => (a['bom-ref'] < b['bom-ref'] ? -1 : 1)),
  }
}

function npmComponent(name, { version, integrity, license, dev, optional }) {
  const hash = /^(sha\d+)-([A-Za-z0-9+/=]+)/.exec(integrity ?? '')
  return {
    ...{ type: 'library', 'bom-ref': `npm:${name}@${version}`, name, version },
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    scope: dev || optional ? 'optional' : 'required',
    ...(hash && {
      hashes: [{ alg: hash[1].replace('sha', 'SHA-'), content: Buffer.from(hash[2], 'base64').toString('hex') }],
    }),
    ...(license && { licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }] }),
  }
}

const wheelComponent = ({ name, version, sha256 }) => ({
  ...{ type: 'library', 'bom-ref': `pypi:${name}@${version}`, name, version, purl: `pkg:pypi/${name}@${version}` },
  hashes: [{ alg: 'SHA-256', content: sha256 }],
})
