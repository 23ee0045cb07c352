import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hashModelDirectory } from '../../src/safetensors/model-identity.js'
import { writeSafetensors } from '../../src/safetensors/writer.js'
import { errorOf, temporaryDirectory } from '../support/checkpoints.js'

const golden = join(import.meta.dirname, '../golden')

it('a model keeps its identity when it is copied, and loses it with one weight or its config', async () => {
  const directory = temporaryDirectory()
  cpSync(join(golden, 'tiny_llama'), directory, { recursive: true })
  const identity = await hashModelDirectory(directory)
  expect(identity).toBe(await hashModelDirectory(join(golden, 'tiny_llama')))
  const weights = join(directory, 'model.safetensors')
  const bytes = readFileSync(weights)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(weights, bytes)
  expect(await hashModelDirectory(directory)).not.toBe(identity)
  cpSync(join(golden, 'tiny_llama/model.safetensors'), weights)
  writeFileSync(join(directory, 'config.json'), '{}')
  expect(await hashModelDirectory(directory)).not.toBe(identity)
  rmSync(join(directory, 'config.json'))
  expect((await errorOf(() => hashModelDirectory(directory))).code).toBe('MODEL_FILE_MISSING')
})

it('a large file counts by header, size, and the first and last MiB of its data', async () => {
  const directory = temporaryDirectory()
  writeFileSync(join(directory, 'config.json'), '{}')
  const identityWith = async (at: number, length = 3 * 2 ** 20) => {
    const data = new Uint8Array(length)
    if (at >= 0) data[at] = 1
    writeSafetensors(join(directory, 'model.safetensors'), new Map([['x', { shape: [length], data }]]))
    return hashModelDirectory(directory)
  }
  const identity = await identityWith(-1)
  const MIB = 2 ** 20
  for (const seen of [0, MIB - 1, 2 * MIB, 3 * MIB - 1]) expect(await identityWith(seen)).not.toBe(identity)
  for (const unseen of [MIB, 2 * MIB - 1]) expect(await identityWith(unseen)).toBe(identity)
  expect(await identityWith(-1, 3 * MIB + 1)).not.toBe(identity)
})
