import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { BucketFiles } from '../../src/adapters/storage/bucket-files.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'
import { addLive } from '../support/registry.js'
import { BUCKET, bucketAt, CREDENTIALS, HAS_S3, type S3Server, startS3Server } from './server.js'

const dist = join(import.meta.dirname, '../../dist')

/** Adds and publishes version 2, whose tensors are those of version 1, and dies in a stage. */
const VICTIM = `
  import { openRegistryFiles } from '${dist}/adapters/storage/open-files.js'
  import { readAdapter } from '${dist}/adapters/weights/peft.js'
  import { Registry } from '${dist}/adapters/registry/registry.js'
  const { place, last } = JSON.parse(process.argv[1])
  const onStage = (stage) => stage === last && process.kill(process.pid, 'SIGKILL')
  const files = openRegistryFiles(place, onStage)
  const registry = new Registry(files, { by: 'daemon', onStage })
  await registry.add(readAdapter(await files.local('v00000001')), { step: 2, delta: 0 })
  await registry.publish('v00000002')
`
const STAGES = ['objects written', 'version written', 'move added written', 'move added made', 'move published made']

describe.runIf(HAS_S3)('one killed -9', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server.stop())

  it.each(STAGES)('%s: live is whole and known, and a second try succeeds', async (last) => {
    const prefix = `${last.replaceAll(' ', '-')}/`
    const open = () =>
      new Registry(new BucketFiles(bucketAt(server.url, prefix), temporaryDirectory()), { by: 'daemon' })
    await addLive(open(), 1)
    const s3 = { endpoint: server.url, region: null, ...CREDENTIALS, pathStyle: true, timeout: 10_000 }
    const place = { dir: temporaryDirectory(), store: `s3://${BUCKET}/${prefix}`, s3 }
    const victim = ['--input-type=module', '--eval', VICTIM, JSON.stringify({ place, last })]
    const { signal, stderr } = spawnSync(process.execPath, victim)
    expect(`${signal} ${stderr}`).toBe('SIGKILL ')

    const isMade = last === 'move published made'
    expect((await open().repair()).aliases.live).toBe(isMade ? 'v00000002' : 'v00000001')
    if (last === 'objects written') expect(await open().files.names('.')).toEqual(['v00000001'])
    const registry = open()
    await registry.add(sampleAdapter(1), { step: 2, delta: 0 })
    await registry.publish('v00000002')
    const moves = await open().movesAfter(2)
    expect(moves.map(({ cause }) => cause)).toEqual(['added', 'published'])
    expect(readAdapter(await open().files.local('v00000002'))).toEqual(sampleAdapter(1))
  })
})
