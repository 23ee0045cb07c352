import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cacheRoot } from '../../scripts/cache.mjs'
import { FILES, LIBRARY_FOLDERS, OPENED, pinnedWheels } from '../../scripts/image/cuda.mjs'
import { neededFiles, productionPackages, shippedPackages } from '../../scripts/image/packages.mjs'
import { sbom } from '../../scripts/image/sbom.mjs'
import { TENSORFLOW, WHEELS } from '../../scripts/tensorflow.mjs'
import { INSTALLERS } from './installers.js'

const root = process.cwd()
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages as Record<
  string,
  { version: string; dev?: boolean; optional?: boolean }
>

const shipped = new Set(shippedPackages(root).map(({ path }) => path))
const installers = productionPackages(root).filter(({ path }) => !shipped.has(path))

describe('the bill of materials', () => {
  const document = sbom({ root, variant: 'cpu', files: [] })
  const purls = new Set(document.components.map(({ purl }) => purl))

  it('names every production package of package-lock.json that is for this system, and none for development', () => {
    const inLock = Object.entries(lock).filter(([path]) => path !== '')
    for (const [path, { version, dev, optional }] of inLock) {
      const purl = `pkg:npm/${path.split('node_modules/').at(-1)!.replace('@', '%40')}@${version}`
      const leftOut = installers.some((each) => each.path === path)
      if (!dev && (!optional || existsSync(path)) && !leftOut) expect([...purls], path).toContain(purl)
    }
    const developed = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).devDependencies)
    const production = new Set(productionPackages(root).map(({ name }) => name))
    const names = document.components.map(({ name }) => name)
    for (const name of developed.filter((each) => !production.has(each))) expect(names).not.toContain(name)
  })

  it('names Node and the wheel that libtensorflow comes from, with hashes', () => {
    const wheel = document.components.find(({ name }) => name === 'tensorflow-cpu')!
    expect(wheel.purl).toBe(`pkg:pypi/tensorflow-cpu@${TENSORFLOW}`)
    expect(wheel.hashes).toEqual([{ alg: 'SHA-256', content: WHEELS.cpu.sha256 }])
    expect([...purls]).toContain(`pkg:generic/node@${process.versions.node}`)
  })

  it('adds the wheels of CUDA in the GPU variant, and lists native files', () => {
    const files = [join(root, 'node_modules/@tensorflow/tfjs-node-gpu/deps/bcod_quiet_load.node')]
    const { components } = sbom({ root, variant: 'gpu', files })
    for (const { name, version } of pinnedWheels())
      expect(components.map(({ purl }) => purl)).toContain(`pkg:pypi/${name}@${version}`)
    expect(components.at(-1)).toMatchObject({ type: 'file', name: 'bcod_quiet_load.node' })
  })

  it('names the Debian packages whose libraries go into the image', () => {
    const { components } = sbom({
      root,
      variant: 'cpu',
      files: [],
      packages: [{ name: 'libstdc++6', version: '12.2.0-14+deb12u1' }],
    })
    // https://github.com/package-url/purl-spec: the version is percent-encoded
    expect(components.at(-1)).toMatchObject({ purl: 'pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=amd64' })
  })

  it('is whole: every reference is a component, and the same build gives the same bytes', () => {
    expect([document.bomFormat, document.specVersion]).toEqual(['CycloneDX', '1.5'])
    const refs = new Set([document.metadata.component, ...document.components].map((each) => each['bom-ref']))
    for (const { ref, dependsOn } of document.dependencies)
      for (const each of [ref, ...dependsOn]) expect([...refs]).toContain(each)
    expect(sbom({ root, variant: 'cpu', files: [] })).toEqual(document)
  })
})

describe('what goes into the image of node_modules', () => {
  it('is no installer, archiver or downloader', () => {
    const names = installers.map(({ name }) => name)
    for (const name of ['@mapbox/node-pre-gyp', 'tar', 'adm-zip', 'rimraf', 'make-dir']) expect(names).toContain(name)
    for (const { path } of shippedPackages(root)) expect(`/app/${path}`).not.toMatch(INSTALLERS)
  })

  it('finds the addon where the installer that is left out finds it', () => {
    const require = createRequire(import.meta.url)
    const manifest = require.resolve('@tensorflow/tfjs-node-gpu/package.json')
    const inTfjs = createRequire(manifest)
    const theirs = inTfjs('@mapbox/node-pre-gyp') as { find(path: string): string }
    const ours = require('../../scripts/image/node-pre-gyp.cjs') as typeof theirs
    expect(ours.find(manifest)).toBe(theirs.find(manifest))
  })

  it('is what each package loads: its manifest and the file that `main` names; no sources, headers or types', () => {
    for (const { path, name } of productionPackages(root)) {
      const files = neededFiles(path, name)
      const { main } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      const start = ['', '.js', '/index.js']
        .map((end) => join(main || 'index', end))
        .find((file) => isFile(join(path, file)))
      const expected = ['package.json', ...(start === undefined || start.endsWith('.d.ts') ? [] : [start])]
      expect(files, path).toEqual(expect.arrayContaining(expected))
      expect(files.filter((file) => /\.(h|cc|d\.ts|map)$/.test(file))).toEqual([])
    }
  })

  it('keeps licences', () => {
    for (const { path, name } of productionPackages(root)) {
      const licences = readdirSync(path).filter((file) => /^licen[cs]e/i.test(file))
      expect(neededFiles(path, name)).toEqual(expect.arrayContaining(licences))
    }
  })
})

describe('the CUDA libraries of the GPU image', () => {
  it('are each from one wheel that is pinned by version and hash', () => {
    const wheels = pinnedWheels()
    const pins = readFileSync('deploy/image/cuda.txt', 'utf8')
      .split('\n')
      .filter((line) => /^[^#]/.test(line))
    expect(wheels).toHaveLength(pins.length)
    const folders = new Set(FILES.map((file) => file.split('/')[0]!.replaceAll('_', '-')))
    expect(wheels.map(({ name }) => /^nvidia-(.*)-cu12$/.exec(name)![1]!).sort()).toEqual([...folders].sort())
    for (const answer of Object.values(OPENED)) if (answer.includes('/')) expect(FILES).toContain(answer)
  })

  it('lie in folders that the loader is told of, as they are named in the image', () => {
    for (const answer of Object.values(OPENED))
      if (answer.includes('/')) expect(LIBRARY_FOLDERS).toContain(dirname(join('nvidia', answer)))
    expect(LIBRARY_FOLDERS.filter((folder) => !/^nvidia\/\w+\/lib$/.test(folder))).toEqual([])
  })

  const framework = join(cacheRoot(), 'libtensorflow', `${TENSORFLOW}-gpu`, 'lib', 'libtensorflow_framework.so.2')
  it('are what libtensorflow opens', ({ skip }) => {
    skip(!existsSync(framework), 'the CUDA build is not in the cache: BCOD_TF=gpu make setup')
    const symbols = readFileSync(framework).toString('latin1')
    const opened = [...symbols.matchAll(/_ZN3tsl8internal9DsoLoader\d+Get(\w+?)DsoHandleEv/g)].map(([, name]) => name!)
    const forAmd = /^(Hip|Miopen|Roc)/
    expect([...new Set(opened)].filter((name) => !forAmd.test(name)).sort()).toEqual(Object.keys(OPENED).sort())
  })
})

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() === true
