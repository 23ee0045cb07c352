import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { showConfig } from '../../src/config/show.js'
import { refusal, scratchFile } from './scratch.js'

const load = (...set: string[]) => loadConfig({ env: {}, set })
const refused = (...set: string[]) => refusal(() => load(...set))

describe('a user name or a password in a URL', () => {
  const places = [
    ['embeddings.url', 'https://ann:s3cr3t@host/v1'],
    ['embeddings.url', 'https://s3cr3t@host/v1'],
    ['embeddings.url', ' HTTPS://ann:s3cr3t@host/v1'],
    ['embeddings.url', 'https://ann:s3/cr3t@host/v1'],
    ['embeddings.url', 'https:ann:s3cr3t@host/v1'],
    ['embeddings.url', 'https://host/v1?key=s3cr3t'],
    ['embeddings.url', 'ann:s3cr3t@host'],
    ['stream.sasl.tokenEndpoint', 'http://ann:s3cr3t@host/token'],
    ['stream.brokers', 'ann:s3cr3t@host:9092'],
    ['stream.brokers', 'good:9092,SASL_SSL://ann:s3cr3t@host:9092'],
    ['stream.brokers', 's3cr3t@host:9092'],
    ['stream.brokers', 'x:1,ann:s3cr3t@host:1,ann:s3cr3t@host:1'],
    ['model.path', 'https://ann:s3cr3t@host/model'],
    ['checkpoint.dir', 's3://ann:s3cr3t@bucket/x'],
    ['server.allowedHosts', 'https://ann:s3cr3t@host'],
    ['server.host', 'http://ann:s3cr3t@host'],
  ] as const

  it.each(places)('in %s is refused and not repeated: %s', (key, value) => {
    const file = scratchFile(
      'a.json',
      JSON.stringify(
        key
          .split('.')
          .reduceRight<unknown>(
            (tree, name) => ({ [name]: tree }),
            value.includes(',') || key === 'stream.brokers' || key === 'server.allowedHosts' ? value.split(',') : value,
          ),
      ),
    )
    for (const error of [refused(`${key}=${value}`), refusal(() => loadConfig({ env: {}, file }))]) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(`${error.line} ${error.remedy} ${error.stack}`).not.toContain('s3cr3t')
      expect(error.line).toContain(key)
    }
  })

  it('is not shown where the value has another fault too', () => {
    const error = refused('embeddings.url=["https://ann:s3cr3t@host/v1"]', 'seed=https://ann:s3cr3t@host')
    expect(error.line).not.toContain('s3cr3t')
  })

  it('names the key that is for it', () => {
    expect(refused('embeddings.url=https://t@host/v1').line).toContain('set embeddings.token')
    expect(refused('stream.brokers=a:b@host:9092').line).toContain('stream.sasl.password')
  })

  it('is not seen in what has none', () => {
    const set = ['embeddings.url=https://host:8080/v1', 'stream.brokers=a:9092,[::1]:9092,10.0.0.1:9092']
    expect(() => load(...set, 'model.path=/models/a@b', 'stream.groupId=team@home')).not.toThrow()
  })

  it('and the query of a token endpoint is not shown', () => {
    const sasl = ['mechanism=oauthbearer', 'username=a', 'password=b', 'tokenEndpoint=https://host/token?code=s3cr3t']
    const shown = JSON.stringify(showConfig(load(...sasl.map((each) => `stream.sasl.${each}`))))
    expect(shown).toContain('"https://host/token?[hidden]"')
    expect(shown).not.toContain('s3cr3t')
  })
})

describe('brokers', () => {
  it.each(['host', 'host:', 'host:x', ':9092', 'PLAINTEXT://host:9092', 'a:1:2', 'host:9092/x'])(
    '%j is none',
    (broker) => {
      expect(refused(`stream.brokers=["good:9092","${broker}"]`).line).toBe(
        'CONFIG_INVALID stream.brokers: expected host:port, which number 2 is not',
      )
    },
  )
})

describe('the admin token', () => {
  const token = (value: string) => load(`server.adminToken=${JSON.stringify(value)}`).server.adminToken

  it.each(['x', 'open-sesame', 'fifteen-letters', 'a'.repeat(64), 'abcabcabcabcabcabcabcabc', '1'.repeat(15)])(
    '%j is too easy to guess',
    (value) => {
      const error = refusal(() => token(value))
      expect(error.line).toMatch(/^CONFIG_INVALID server\.adminToken: is too easy to guess/)
      expect(error.line).not.toContain(`${value},`)
    },
  )

  it.each([
    'line\nbreak-line-break',
    'wörter-mit-umlauten',
    ' leading-space-1234',
    'trailing-space-1234 ',
    'tab\there-and-more-1',
  ])('%j could not be sent', (value) => {
    expect(refusal(() => token(value)).line).toContain('expected printable ASCII')
  })

  it('may be whatever a generator of random text makes', () => {
    const characters = fc.constantFrom(...'0123456789abcdef')
    const hex = fc.array(characters, { minLength: 64, maxLength: 64 }).map((all) => all.join(''))
    fc.assert(
      fc.property(hex, (value) => {
        fc.pre(new Set(value).size >= 8) // all but one of 10^13
        expect(token(value)).toBe(value)
      }),
    )
    expect(token('correct horse battery staple')).toBe('correct horse battery staple')
  })
})

describe('allowed hosts', () => {
  it.each(['bcod.example.com', '*.example.com', '*', '10.0.0.1', 'fd00::1'])('%s is one', (name) => {
    expect(load(`server.allowedHosts=${JSON.stringify([name])}`).server.allowedHosts).toEqual([name])
  })

  it.each(['http://bcod.example.com', 'bcod.example.com:9464', '*.', 'a..b', 'a b', '*x.example.com', '/'])(
    '%s is none',
    (name) => {
      expect(refused(`server.allowedHosts=${JSON.stringify([name])}`).line).toContain('server.allowedHosts')
    },
  )
})
