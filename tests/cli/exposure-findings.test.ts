import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { exposureFindings } from '../../src/cli/exposure-findings.js'
import { loadConfig } from '../../src/config/config.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-exposure-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const STRONG = '9f2c61d0e7b84a3596c1f0d2e3b4a5869f2c61d0e7b84a3596c1f0d2e3b4a586'
const login = (mechanism: string) => [
  `stream.sasl.mechanism=${mechanism}`,
  'stream.sasl.username=ann',
  'stream.sasl.password=pass-word-1',
]
const endpoint = (url: string) => [
  'ratio.embedder=endpoint',
  'ratio.embeddingModel=e5',
  `embeddings.url=${url}`,
  'embeddings.token=token-1',
]
const oauth = (url: string) => [...login('oauthbearer'), 'stream.tls.enabled=true', `stream.sasl.tokenEndpoint=${url}`]

const found = (set: readonly string[], file?: string, environment: NodeJS.ProcessEnv = {}) =>
  exposureFindings(loadConfig({ env: {}, file, set }), file, environment)
const names = (...given: Parameters<typeof found>) => found(...given).map(({ name }) => name)

function fileOf(name: string, text: string, mode: number): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

describe('what a configuration lets out', () => {
  it.each<[what: string, set: readonly string[], names: readonly string[]]>([
    ['nothing, by default', [], []],
    ['a password in the clear', login('plain'), ['login']],
    ['not through TLS', [...login('plain'), 'stream.tls.enabled=true'], []],
    ['SCRAM sends no password', login('scram-sha-512'), []],
    ['a token in the clear', ['stream.sasl.mechanism=oauthbearer', 'stream.sasl.tokenFile=/none'], ['login']],
    ['a port for everybody', ['server.host=0.0.0.0'], ['port']],
    ['a port for everybody, by name', ['server.host=bcod.example.com'], ['port']],
    ['the same in IPv6', ['server.host=::'], ['port']],
    ['not a port of this machine', ['server.host=::1'], []],
    ['not a port of this machine', ['server.host=127.0.0.53'], []],
    ['a port for programs', ['leader.address=10.0.0.6', 'devices=["CPU:0", "w:2222/CPU:0"]'], ['leader']],
    ['no port for programs without workers', ['leader.address=10.0.0.6'], []],
    ['any name', ['server.allowedHosts=*'], ['allowed hosts']],
    ['a password as admin token', ['server.adminToken=correct horse battery'], ['admin token']],
    ['a token of digits', [`server.adminToken="12345678901234567890123456789012"`], ['admin token']],
    ['not a token made by chance', [`server.adminToken=${STRONG}`], []],
    ['not one of 22 characters of base64', ['server.adminToken=x8Kd02_mQz-TtB7pWfLr4A'], []],
    ['prompts in the clear', endpoint('http://embeddings:8080/v1'), ['embeddings']],
    ['not through TLS', endpoint('https://embeddings/v1'), []],
    ['not on this machine', endpoint('http://[::1]:8080/v1'), []],
    ['a client secret in the clear', oauth('http://login/token'), ['token endpoint']],
    ['not through TLS', oauth('https://login/token'), []],
  ])('%s', (_what, set, expected) => {
    expect(names(set)).toEqual(expected)
  })

  it('is told of unchecked certificates', () => {
    expect(names([], undefined, { NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toEqual(['certificates'])
    expect(names([], undefined, { NODE_TLS_REJECT_UNAUTHORIZED: '1' })).toEqual([])
  })

  it('is told without a secret, and with what to do', () => {
    const set = [...login('plain'), ...endpoint('http://embeddings/v1'), 'server.adminToken=correct horse battery']
    const all = found(set)
    expect(all.map(({ status }) => status)).toEqual(['warn', 'warn', 'warn'])
    expect(JSON.stringify(all)).not.toMatch(/pass-word-1|token-1|correct horse/)
    for (const { remedy } of all) expect(remedy).toMatch(/\.$/)
  })
})

describe('files that hold secrets', () => {
  const config = (mode: number, text: string) => fileOf('bcod.yaml', text, mode)
  const secret = 'embeddings: {token: token-1}\n'

  it.each([
    ['others may read the configuration with a secret', () => ['file modes'], () => names([], config(0o644, secret))],
    ['its group may', () => [], () => names([], config(0o640, secret))],
    ['it holds none', () => [], () => names([], config(0o644, 'seed: 1\n'))],
    ['it is null there', () => [], () => names([], config(0o644, 'embeddings: {token: null}\n'))],
  ])('%s', (_what, expected, seen) => {
    expect(seen()).toEqual(expected())
  })

  it('others may read a key, or change a token', () => {
    const [cert, key] = [fileOf('cert.pem', 'x', 0o644), fileOf('key.pem', 'x', 0o604)]
    const tls = ['stream.tls.enabled=true', `stream.tls.cert=${cert}`, `stream.tls.key=${key}`]
    expect(found(tls)[0]).toMatchObject({
      name: 'file modes',
      detail: expect.stringMatching(/tls\.key.* 0604: .*read it/),
    })
    const token = [
      'stream.sasl.mechanism=oauthbearer',
      'stream.tls.enabled=true',
      `stream.sasl.tokenFile=${fileOf('t', 'x', 0o606)}`,
    ]
    expect(found(token)[0]!.detail).toMatch(/0606: .*change it/)
  })

  it('others may read the checkpoints', () => {
    expect(names([`checkpoint.dir=${directory}`])).toEqual([])
    chmodSync(directory, 0o755)
    expect(names([`checkpoint.dir=${directory}`])).toEqual(['file modes'])
    chmodSync(directory, 0o700)
  })
})
