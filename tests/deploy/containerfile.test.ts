import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { USER } from '../../scripts/image/system.mjs'
import { NODES } from '../../scripts/nodes.mjs'
import { halves, parseContainerfile } from '../support/containerfile.js'

const read = (path: string) => readFileSync(path, 'utf8')
const { args, stages } = parseContainerfile(read('Containerfile'))
const manifest = JSON.parse(read('package.json'))
const [build, final] = [stages[0]!, stages.at(-1)!]
const all = stages.flatMap((stage) => stage.instructions)
const ofFinal = (name: string) => final.instructions.filter((each) => each.name === name).map(({ text }) => text)
const statefulSet = parse(read('deploy/k8s/base/statefulset.yaml')).spec.template.spec
const [container] = statefulSet.containers

describe('Containerfile', () => {
  it('builds in an image of one digest, with a Node that is maintained and tested, and runs on none', () => {
    expect(stages.map(({ from }) => from)).toEqual([args.get('BUILD_IMAGE'), 'scratch'])
    const [, version] = /^docker\.io\/library\/node:(\d+\.\d+\.\d+)-bookworm@sha256:[0-9a-f]{64}$/.exec(build.from)!
    expect(NODES.map((each) => each.version)).toContain(version)
  })

  it('fetches nothing but through package managers, and those by lock file and hashes', () => {
    expect(all.filter(({ name }) => name === 'ADD')).toEqual([])
    for (const { name, text } of all) if (name === 'RUN') expect(text).not.toMatch(/\b(curl|wget)\b|https?:/)
    expect(read('scripts/libtensorflow.mjs')).toContain("'--require-hashes'")
    expect(read('scripts/setup.mjs')).toContain("'npm', ['ci', ")
  })

  it('copies files that are there, and that .containerignore lets through', () => {
    const copied = build.instructions
      .filter(({ name }) => name === 'COPY')
      .flatMap(({ text }) => text.split(' ').slice(0, -1))
    expect(copied.filter((path) => !existsSync(path))).toEqual([])
    const rules = read('.containerignore').split('\n')
    expect(rules).toContain('*')
    expect(copied.filter((path) => !rules.includes(`!${path}`))).toEqual([])
    expect(read('.dockerignore')).toBe(read('.containerignore'))
  })

  it('puts nothing into the image but Node and what assemble.mjs lays out', () => {
    const copies = ofFinal('COPY').map((text) => text.split(' '))
    for (const [from] of copies) expect(from).toBe('--from=build')
    const layers = ['libtensorflow', 'node_modules', 'app'].map((layer) => `/image/${layer}`)
    expect(copies.map(([, source]) => source)).toEqual(['/image/system', '/usr/local/bin/node', ...layers])
    expect(ofFinal('RUN')).toEqual([]) // there is nothing in it that could run it
  })

  it('runs as the user of deploy/k8s, which owns the volumes that are mounted there and nothing else', () => {
    const { runAsUser, runAsGroup, fsGroup } = statefulSet.securityContext
    expect(ofFinal('USER')).toEqual([`${runAsUser}:${runAsGroup}`])
    expect(runAsUser).toBeGreaterThanOrEqual(10_000)
    expect(USER).toBe(runAsUser)
    expect([runAsGroup, fsGroup]).toEqual([runAsUser, runAsUser])
    const mounted = container.volumeMounts.map(({ mountPath }: { mountPath: string }) => mountPath)
    for (const name of ['state', 'adapters']) expect(mounted).toContain(`/var/lib/bcod/${name}`)
    for (const text of ofFinal('COPY')) expect(text).not.toContain('--ch')
  })

  it('starts what deploy/k8s starts, which the build makes', () => {
    expect(ofFinal('ENTRYPOINT').map((text) => JSON.parse(text))).toEqual([container.command])
    expect(ofFinal('WORKDIR')).toEqual(['/app'])
    expect(container.command).toEqual(['node', `/app/${manifest.bin.bcod}`])
    expect(existsSync(manifest.bin.bcod)).toBe(true)
  })

  it('ends in order, and serves the port of deploy/k8s', () => {
    expect(ofFinal('STOPSIGNAL')).toEqual(['SIGTERM'])
    expect(ofFinal('EXPOSE')).toEqual(container.ports.map(({ containerPort }: Port) => String(containerPort)))
  })

  it('is labelled with what package.json says', () => {
    const labels = new Map([...ofFinal('LABEL')[0]!.matchAll(/org\.opencontainers\.image\.(\S+="[^"]*")/g)].map(pair))
    expect([...labels.keys()].sort()).toEqual(['description', 'licenses', 'title', 'version'])
    expect(labels.get('title')).toBe(manifest.name)
    expect(labels.get('licenses')).toBe(manifest.license)
    expect(labels.get('version')).toBe(manifest.version)
  })
})

interface Port {
  readonly containerPort: number
}

const pair = ([, text]: RegExpMatchArray) => halves(text!)
