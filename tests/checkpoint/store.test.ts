import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { takeFence } from '../../src/checkpoint/fence.js'
import { stableJson } from '../../src/checkpoint/json.js'
import { sealManifest } from '../../src/checkpoint/manifest.js'
import type { Snapshot, StateTensor } from '../../src/checkpoint/snapshot.js'
import { CheckpointStore, type CheckpointStoreOptions } from '../../src/checkpoint/store.js'
import { takeDirectory, WORK } from '../../src/files/own-directory.js'
import { errorOf, sampleAdapter, sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'
import { runs } from '../support/thorough.js'

/** A store in a fresh directory whose fence 1 is taken. */
function freshStore(options: CheckpointStoreOptions = {}): CheckpointStore {
  const directory = temporaryDirectory()
  takeFence(directory)
  return new CheckpointStore(directory, options)
}

const checkpoints = (store: CheckpointStore) =>
  readdirSync(store.directory)
    .filter((name) => !name.startsWith('fence-') && name !== WORK)
    .sort()

const bits = ({ data }: { data: Float32Array | Float64Array | Int32Array }) =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')

/** The snapshot with every tensor as the hex of its bytes, so that NaN payloads and signs of zero count. */
const exact = (snapshot: Snapshot) => ({
  ...snapshot,
  adapter: {
    ...snapshot.adapter,
    tensors: [...snapshot.adapter.tensors].map(([n, t]) => [n, t.shape, bits(t)]).sort(),
  },
  trainerState: [...snapshot.trainerState].map(([name, t]) => [name, t.dtype, t.shape, bits(t)]).sort(),
})

describe('a checkpoint', () => {
  it('is a private directory with the files of the layout, and its adapter is one that PEFT loads', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(1234))
    const directory = join(store.directory, 'step-00001234')
    expect(readdirSync(directory).sort()).toEqual([
      'MANIFEST.json',
      'adapter_config.json',
      'adapter_model.safetensors',
      'pending.bin',
      'state.json',
      'trainer_state.safetensors',
    ])
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    for (const file of readdirSync(directory)) expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600)
    expect(adapterSha256(readAdapter(directory).tensors)).toBe(adapterSha256(sampleAdapter(1234).tensors))
  })

  it('lists in its manifest what sha256sum says of every file', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(1))
    const directory = join(store.directory, 'step-00000001')
    const { files } = JSON.parse(readFileSync(join(directory, 'MANIFEST.json'), 'utf8'))
    expect(Object.keys(files)).toHaveLength(5)
    for (const [name, { bytes, sha256 }] of Object.entries<{ bytes: number; sha256: string }>(files)) {
      expect(execFileSync('sha256sum', [join(directory, name)], { encoding: 'utf8' })).toMatch(sha256)
      expect(statSync(join(directory, name)).size).toBe(bytes)
    }
  })

  it('comes back to the bit, whatever it holds', async () => {
    const words = (count: number) => fc.uint8Array({ minLength: 8 * count, maxLength: 8 * count })
    const dtype = fc.constantFrom('f32', 'f64', 'i32')
    const tensor = fc.tuple(dtype, fc.nat(3), words(3)).map(([dtype, length, raw]): StateTensor => {
      const { buffer } = raw.slice()
      const shape = [length]
      if (dtype === 'f32') return { dtype, shape, data: new Float32Array(buffer, 0, length) }
      if (dtype === 'f64') return { dtype, shape, data: new Float64Array(buffer, 0, length) }
      return { dtype: 'i32', shape, data: new Int32Array(buffer, 0, length) }
    })
    // -0 is no number of JSON or of MessagePack's integers; tensors, above, keep it.
    const plain = fc.jsonValue({ noUnicodeString: false }).map((value) => JSON.parse(JSON.stringify(value)))
    const snapshot = fc.record({
      step: fc.nat(99_999_999),
      revision: fc.nat(10_000),
      positions: fc.dictionary(fc.nat(200).map(String), fc.maxSafeNat()),
      seed: fc.maxSafeInteger(),
      trainerState: fc.array(fc.tuple(fc.stringMatching(/^[a-z.0-9]+$/), tensor)).map((entries) => new Map(entries)),
      adapter: words(24).map(({ buffer }) => {
        const [a, b] = [...sampleAdapter(0).tensors.keys()] as [string, string]
        const tensors = new Map([
          [a, { shape: [2, 6], data: new Float32Array(buffer, 0, 12) }],
          [b, { shape: [6, 2], data: new Float32Array(buffer, 48, 12) }],
        ])
        return { ...sampleAdapter(0), tensors }
      }),
      pending: fc.anything({ withTypedArray: false, maxDepth: 3 }).filter(isPlainData),
      extra: plain,
      resolved: fc.dictionary(fc.string(), plain),
    })
    await fc.assert(
      fc.asyncProperty(snapshot, async (changes) => {
        const store = freshStore()
        const written = sampleSnapshot(0, { ...changes, positions: changes.positions as Record<number, number> })
        const ref = await store.write(written)
        const read = await store.latest()
        expect(read?.ref).toEqual(ref)
        expect(exact(read!.snapshot)).toEqual(exact(written))
      }),
      { numRuns: 40 },
    )
  })

  it('cannot hold a number that JSON would turn into null', async () => {
    const store = freshStore()
    await expect(store.write(sampleSnapshot(1, { extra: { delta: Number.NaN } }))).rejects.toThrow(/delta: JSON/)
    expect(checkpoints(store)).toEqual([])
  })

  it('betrays every change of one byte in any of its files', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(5))
    const directory = join(store.directory, 'step-00000005')
    const files = readdirSync(directory)
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (file, at, flip) => {
          const path = join(directory, file)
          const good = readFileSync(path)
          const bad = Buffer.from(good)
          bad[at % bad.length]! ^= flip
          writeFileSync(path, bad)
          expect((await errorOf(() => store.latest())).code).toBe('CHECKPOINT_DAMAGED')
          writeFileSync(path, good)
        },
      ),
      { numRuns: runs(400) },
    )
    expect((await store.latest())?.snapshot.step).toBe(5)
  })

  it('betrays every byte of its manifest, one after the other', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(5))
    const path = join(store.directory, 'step-00000005', 'MANIFEST.json')
    const good = readFileSync(path)
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good)
      bad[at]! ^= 1
      writeFileSync(path, bad)
      expect((await errorOf(() => store.latest())).code).toBe('CHECKPOINT_DAMAGED')
    }
  })
})

describe('the newest checkpoint', () => {
  it('is none in a directory that is empty or not there', async () => {
    expect(await freshStore().latest()).toBeNull()
    expect(await new CheckpointStore('/nonexistent/checkpoints').latest()).toBeNull()
  })

  it('goes by step, then by revision', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(9))
    await store.write(sampleSnapshot(10))
    await store.write(sampleSnapshot(10, { revision: 1 }))
    expect((await store.latest())?.ref.name).toBe('step-00000010.r0001')
    await store.write(sampleSnapshot(10, { revision: 10_000 }))
    expect((await store.latest())?.ref.name).toBe('step-00000010.r10000')
  })

  it('is the one of the highest fence, whatever an overtaken writer put beside it', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(5))
    // Written as by a process that slept between its last look at the fence and the rename.
    await store.write(sampleSnapshot(15))
    const late = join(temporaryDirectory(), 'late')
    execFileSync('mv', [join(store.directory, 'step-00000015'), late])
    const fence = takeFence(store.directory)
    await store.write(sampleSnapshot(5, { revision: 1, fence }))
    execFileSync('mv', [late, join(store.directory, 'step-00000015')])
    expect((await store.latest())?.snapshot).toMatchObject({ step: 5, revision: 1, fence: 2 })
    await store.write(sampleSnapshot(6, { fence }))
    expect(checkpoints(store)).toContain('superseded-step-00000015-1')
    expect((await store.latest())?.snapshot.step).toBe(6)
  })

  it('takes the place of one with the same name from an older fence, which is set aside', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(4))
    await store.write(sampleSnapshot(5, { seed: 1 }))
    await store.write(sampleSnapshot(6))
    const fence = takeFence(store.directory)
    await store.write(sampleSnapshot(5, { seed: 2, fence }))
    expect(checkpoints(store)).toEqual([
      'step-00000004',
      'step-00000005',
      'superseded-step-00000005-1',
      'superseded-step-00000006-1',
    ])
    expect((await store.latest())?.snapshot.seed).toBe(2)
  })

  it('names its parent by a hash that covers every byte of it', async () => {
    const store = freshStore()
    const parent = await store.write(sampleSnapshot(1))
    await store.write(sampleSnapshot(2, { parent }))
    const { snapshot } = (await store.latest())!
    expect(snapshot.parent).toEqual(parent)
    expect((await store.load(parent.name)).ref).toEqual(parent)
  })
})

describe('a damaged checkpoint', () => {
  async function damagedStore(...steps: number[]) {
    const damaged: string[] = []
    const store = freshStore({ onDamaged: (name, error) => damaged.push(`${name} ${error.code}`) })
    for (const step of [3, 4, 5]) await store.write(sampleSnapshot(step))
    for (const step of steps) rmSync(join(store.directory, `step-0000000${step}`, 'MANIFEST.json'))
    return { store, damaged }
  }

  it('that is the newest stops the start, with the file and the remedy', async () => {
    const { store, damaged } = await damagedStore(5)
    const error = await errorOf(() => store.latest())
    expect(error.line).toBe(`CHECKPOINT_DAMAGED ${join(store.directory, 'step-00000005/MANIFEST.json')}: is missing`)
    expect(error.remedy).toMatch(/--accept-older/)
    expect(damaged).toEqual(['step-00000005 CHECKPOINT_DAMAGED'])
  })

  it('that is the newest is passed over on request, and leaves the line at the next write', async () => {
    const { store } = await damagedStore(5)
    expect((await store.latest({ acceptOlder: true }))?.snapshot.step).toBe(4)
    await store.write(sampleSnapshot(4, { revision: 1 }))
    expect((await store.latest())?.snapshot).toMatchObject({ step: 4, revision: 1 })
    expect(checkpoints(store)).toContain('superseded-step-00000005-1')
  })

  it('with a file of another size says both sizes', async () => {
    const { store } = await damagedStore()
    const path = join(store.directory, 'step-00000005/pending.bin')
    const { size } = statSync(path)
    writeFileSync(path, '')
    expect((await errorOf(() => store.latest())).line).toBe(`CHECKPOINT_DAMAGED ${path}: expected ${size} bytes, got 0`)
    expect((await store.latest({ acceptOlder: true }))?.snapshot.step).toBe(4)
  })

  it('that is an older one is reported and stops nothing', async () => {
    const { store, damaged } = await damagedStore(3)
    expect((await store.latest())?.snapshot.step).toBe(5)
    expect(damaged).toEqual(['step-00000003 CHECKPOINT_DAMAGED'])
  })

  it('is an error also on request where there is no other', async () => {
    const { store } = await damagedStore(3, 4, 5)
    expect((await errorOf(() => store.latest({ acceptOlder: true }))).place).toMatch(/step-00000005/)
  })

  it('copied to another step is not taken for that step', async () => {
    const { store } = await damagedStore()
    execFileSync('cp', ['-r', 'step-00000005', 'step-00000009'], { cwd: store.directory })
    expect((await errorOf(() => store.latest())).message).toBe('was written as step-00000005')
  })

  it('that lists a file elsewhere is refused before that file is opened', async () => {
    const { store } = await damagedStore()
    const directory = join(store.directory, 'step-00000005')
    for (const elsewhere of ['../step-00000004/state.json', '/etc/hostname']) {
      const files = { [elsewhere]: { bytes: 0, sha256: '0'.repeat(64) } }
      const manifest = sealManifest({ step: 5, revision: 0, fence: 1, parent: null, files })
      writeFileSync(join(directory, 'MANIFEST.json'), stableJson(manifest))
      const { line } = await errorOf(() => store.latest())
      expect(line).toBe(`CHECKPOINT_DAMAGED ${directory}/MANIFEST.json: lists a file outside the checkpoint`)
    }
  })

  it('is told from one of a later format', async () => {
    const store = freshStore()
    await store.write(sampleSnapshot(1))
    const path = join(store.directory, 'step-00000001/MANIFEST.json')
    const { sha256: _, ...body } = JSON.parse(readFileSync(path, 'utf8'))
    body.format = 2
    const text = (value: object) => `${JSON.stringify(value, null, 2)}\n`
    const seal = execFileSync('sha256sum', { input: text(body), encoding: 'utf8' }).slice(0, 64)
    const sealed = Object.fromEntries(Object.entries({ ...body, sha256: seal }).sort(([a], [b]) => (a < b ? -1 : 1)))
    writeFileSync(path, text(sealed))
    expect((await errorOf(() => store.latest())).line).toMatch(
      /^CHECKPOINT_VERSION .*: format 2, this version reads 1$/,
    )
  })
})

describe('retention', () => {
  it('keeps the newest, the initial one and the first of every published step', async () => {
    const store = freshStore({ keep: 2, publishedSteps: () => new Set([2, 4]) })
    for (const [step, revision] of [
      [0, 0],
      [1, 0],
      [2, 0],
      [2, 1],
      [3, 0],
      [4, 0],
      [5, 0],
      [6, 0],
    ] as const) {
      await store.write(sampleSnapshot(step, { revision }))
    }
    expect(checkpoints(store)).toEqual([
      'step-00000000',
      'step-00000002',
      'step-00000004',
      'step-00000005',
      'step-00000006',
    ])
  })

  it('lets superseded ones go once the line has passed them', async () => {
    const store = freshStore({ keep: 1 })
    await store.write(sampleSnapshot(5))
    const fence = takeFence(store.directory)
    await store.write(sampleSnapshot(5, { fence }))
    expect(checkpoints(store)).toEqual(['step-00000005', 'superseded-step-00000005-1'])
    await store.write(sampleSnapshot(6, { fence }))
    expect(checkpoints(store)).toEqual(['step-00000006'])
  })

  it('that fails is reported, and the checkpoint stands', async () => {
    const failures: unknown[] = []
    const publishedSteps = () => {
      throw new Error('adapters directory is gone')
    }
    const store = freshStore({ publishedSteps, onCleanupFailed: (error) => failures.push(error) })
    await store.write(sampleSnapshot(1))
    expect(failures).toHaveLength(1)
    expect((await store.latest())?.snapshot.step).toBe(1)
  })

  it('removes what crashes left half written', async () => {
    const store = freshStore()
    mkdirSync(join(takeDirectory(store.directory, { mode: 0o700 }), 'step-00000009-1'))
    expect(await store.latest()).toBeNull()
    await store.write(sampleSnapshot(1))
    expect(checkpoints(store)).toEqual(['step-00000001'])
    expect(readdirSync(join(store.directory, WORK))).toEqual([])
  })
})

it('an overtaken writer is stopped before and after it has written its files', async () => {
  const store = freshStore()
  await store.write(sampleSnapshot(1))
  const onStage = (stage: string) => {
    if (stage === 'synced') takeFence(store.directory)
  }
  const old = new CheckpointStore(store.directory, { onStage })
  expect((await errorOf(() => old.write(sampleSnapshot(2)))).code).toBe('FENCED')
  expect((await errorOf(() => old.write(sampleSnapshot(2)))).code).toBe('FENCED')
  expect(checkpoints(store)).toEqual(['step-00000001'])
})

/** Plain data in the sense of `Snapshot.pending`: what MessagePack gives back as it got it. */
function isPlainData(value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return true
  if (typeof value === 'number')
    return !Object.is(value, -0) && (!Number.isInteger(value) || Number.isSafeInteger(value))
  if (typeof value !== 'object') return false
  if (Array.isArray(value)) return Object.keys(value).length === value.length && value.every(isPlainData)
  const isRecord = Object.getPrototypeOf(value) === Object.prototype && !Object.hasOwn(value, '__proto__')
  return isRecord && Object.values(value).every(isPlainData) && encode(value).length > 0
}
