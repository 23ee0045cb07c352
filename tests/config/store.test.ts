import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { showConfig } from '../../src/config/show.js'
import { refusal } from './scratch.js'

const KEYS = { AWS_ACCESS_KEY_ID: 'of-env', AWS_SECRET_ACCESS_KEY: 's3cr3t', AWS_SESSION_TOKEN: 't0ken' }
const load = (set: readonly string[], env: Record<string, string> = KEYS) => loadConfig({ env, set }).adapters
const refused = (set: readonly string[], env: Record<string, string> = KEYS) => refusal(() => load(set, env))
const STORE = 'adapters.store=s3://my-bucket/adapters/support'

describe('adapters.store', () => {
  it('is not set by default, and then nothing of the environment is read', () => {
    expect(load([])).toMatchObject({ store: null, s3: { region: null, accessKeyId: null, sessionToken: null } })
  })

  it('takes credentials and region from the environment, as other programs of S3 do', () => {
    const { s3 } = load([STORE], { ...KEYS, AWS_DEFAULT_REGION: 'eu-west-1' })
    expect(s3).toMatchObject({
      ...{ accessKeyId: 'of-env', secretAccessKey: 's3cr3t', sessionToken: 't0ken', region: 'eu-west-1' },
      ...{ endpoint: null, pathStyle: false, timeout: 30_000 },
    })
    expect(load([STORE]).s3.region).toBe('us-east-1')
    expect(load([STORE, 'adapters.s3.region=sa-east-1'], { ...KEYS, AWS_REGION: 'eu-west-1' }).s3.region).toBe(
      'sa-east-1',
    )
  })

  it('does not mix a key of its own with the session of the environment', () => {
    const { s3 } = load([STORE, 'adapters.s3.accessKeyId=own', 'adapters.s3.secretAccessKey=own-secret'])
    expect(s3).toMatchObject({ accessKeyId: 'own', secretAccessKey: 'own-secret', sessionToken: null })
  })

  it('is shown without keys', () => {
    const shown = JSON.stringify(showConfig(loadConfig({ env: KEYS, set: [STORE] })))
    for (const value of Object.values(KEYS)) expect(shown).not.toContain(value)
    expect(shown).toContain('s3://my-bucket/adapters/support')
  })

  it.each([
    'my-bucket',
    's3://',
    's3://B',
    's3://my-bucket/a b',
    's3://my-bucket/../other',
    's3://my-bucket/a?b',
    'https://x/y',
  ])('is not %s', (store) => {
    expect(refused([`adapters.store=${store}`]).line).toContain('adapters.store: expected s3://bucket/prefix')
  })

  it('needs credentials, and an endpoint without a path', () => {
    expect(refused([STORE], {}).line).toMatch(/adapters\.s3\.accessKeyId: required with adapters\.store/)
    for (const endpoint of ['host:9000', 'http://host/minio', 'ftp://host'])
      expect(refused([STORE, `adapters.s3.endpoint=${endpoint}`]).line).toContain('adapters.s3.endpoint: expected')
    expect(load([STORE, 'adapters.s3.endpoint=http://minio:9000']).s3.endpoint).toBe('http://minio:9000')
  })

  it('in a bucket whose name has dots is in the path of URLs', () => {
    expect(refused(['adapters.store=s3://my.bucket/a']).line).toContain('adapters.s3.pathStyle: must be true')
    expect(load(['adapters.store=s3://my.bucket/a', 'adapters.s3.pathStyle=true']).store).toBe('s3://my.bucket/a')
  })
})
