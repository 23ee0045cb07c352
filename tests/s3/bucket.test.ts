import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Bucket } from '../../src/s3/bucket.js'
import { errorOf } from '../support/checkpoints.js'
import { BUCKET, bucketAt, CREDENTIALS, FaultyProxy, HAS_S3, type S3Server, startS3Server } from './server.js'

const text = (value: string) => new TextEncoder().encode(value)

describe.runIf(HAS_S3)('against versitygw', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server.stop())

  async function faulty(timeout = 10_000) {
    const proxy = await FaultyProxy.start(server.url)
    onTestFinished(() => proxy.close())
    return { proxy, bucket: bucketAt(proxy.url, undefined, timeout) }
  }
  const other = (change: Partial<ConstructorParameters<typeof Bucket>[0]>) =>
    new Bucket({
      ...{ bucket: BUCKET, prefix: '', endpoint: server.url, region: 'us-east-1', pathStyle: true, timeout: 2000 },
      ...{ credentials: CREDENTIALS, ...change },
    })

  it('an object is what was written last, and nothing once it is removed', async () => {
    const bucket = bucketAt(server.url)
    expect(await bucket.get('a/b.json')).toBeNull()
    await bucket.put('a/b.json', text('one'))
    await bucket.put('a/b.json', text('two'))
    expect((await bucket.get('a/b.json'))?.toString()).toBe('two')
    await bucket.remove('a/b.json')
    expect(await bucket.get('a/b.json')).toBeNull()
    await bucket.remove('a/b.json')
  })

  it('an object is created once, whoever comes first', async () => {
    const bucket = bucketAt(server.url)
    const writers = Array.from({ length: 12 }, (_, i) => `writer-${i}`)
    const created = await Promise.all(writers.map((writer) => bucket.create('move', text(writer), writer)))
    expect(created.filter((each) => each)).toHaveLength(1)
    expect((await bucket.get('move'))?.toString()).toBe(writers[created.indexOf(true)])
  })

  it('lists of more than a page are whole, folder by folder', async () => {
    const bucket = bucketAt(server.url)
    const names = Array.from({ length: 1205 }, (_, i) => `moves/${String(i).padStart(8, '0')}.json`)
    for (let i = 0; i < names.length; i += 50)
      await Promise.all(names.slice(i, i + 50).map((name) => bucket.put(name, text('{}'))))
    await bucket.put('routing.json', text('{}'))
    expect((await bucket.list('moves/')).map(({ key }) => key)).toEqual(names)
    expect((await bucket.folder('')).map(({ key }) => key).sort()).toEqual(['moves/', 'routing.json'])
  })

  it('a write whose answer is lost was ours', async () => {
    const { proxy, bucket } = await faulty()
    let lost = 0
    proxy.fate = (method) => (method === 'PUT' && lost++ === 0 ? 'lost' : 'through')
    expect(await bucket.create('move', text('ours'), 'us')).toBe(true)
    expect(proxy.seen.map((line) => line.split(' ')[0])).toEqual(['PUT', 'PUT', 'HEAD'])
  })

  it('a write of which every answer is lost was ours', async () => {
    const { proxy, bucket } = await faulty(300)
    proxy.fate = (method) => (method === 'PUT' ? 'lost' : 'through')
    expect(await bucket.create('move', text('ours'), 'us')).toBe(true)
  })

  it('a write whose answer is lost was not ours if somebody else was faster', async () => {
    const { proxy, bucket } = await faulty()
    let first = true
    proxy.fate = async (method, url) => {
      if (method !== 'PUT' || !first) return 'through'
      first = false
      const key = url.slice(`/${BUCKET}/`.length)
      await bucketAt(server.url, '').create(key, text('theirs'), 'them')
      return 'lost'
    }
    expect(await bucket.create('move', text('ours'), 'us')).toBe(false)
    expect((await bucket.get('move'))?.toString()).toBe('theirs')
  })

  it.each([503, 429, 'lost'] as const)('%s is tried again', async (fault) => {
    const { proxy, bucket } = await faulty()
    let count = 0
    proxy.fate = () => (count++ < 3 ? fault : 'through')
    await bucket.put('a', text('a'))
    expect(count).toBe(4)
  })

  it('a store that stays away is given up', async () => {
    const { proxy, bucket } = await faulty()
    proxy.fate = () => 503
    const error = await errorOf(() => bucket.put('a', text('a')))
    expect(error.line).toMatch(/^S3_UNAVAILABLE s3:\/\/adapters\/[0-9a-f]+\/a: status 503 SlowDown$/)
    expect(proxy.seen).toHaveLength(5)
  })

  it('a store that is silent is given up in time', async () => {
    const { proxy, bucket } = await faulty(200)
    proxy.fate = () => 'silent'
    const started = Date.now()
    expect((await errorOf(() => bucket.get('a'))).line).toMatch(/S3_UNAVAILABLE .*: no answer within 200 ms$/)
    expect(Date.now() - started).toBeLessThan(1500)
  })

  it('what cannot succeed is said at once, with its place', async () => {
    const secret = { ...CREDENTIALS, secretAccessKey: 'wrong' }
    const denied = await errorOf(() => other({ credentials: secret }).put('a', text('a')))
    expect(denied.line).toBe('S3_DENIED s3://adapters/a: status 403 SignatureDoesNotMatch')
    expect(denied.line).not.toContain('wrong')
    const absent = await errorOf(() => other({ bucket: 'nowhere' }).put('a', text('a')))
    expect(absent.line).toBe('S3_NO_BUCKET s3://nowhere/a: status 404 NoSuchBucket')
    expect((await errorOf(() => other({ bucket: 'nowhere' }).get('a'))).code).toBe('S3_NO_BUCKET')
    expect((await errorOf(() => other({ bucket: 'nowhere' }).list(''))).code).toBe('S3_NO_BUCKET')
    const region = await errorOf(() => other({ region: 'eu-central-1' }).put('a', text('a')))
    expect(region.code).toBe('S3_REGION')
  })
})
