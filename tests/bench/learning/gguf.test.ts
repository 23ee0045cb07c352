import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readGguf } from '../../../bench/learning/gguf.mjs'

const directory = mkdtempSync(join(tmpdir(), 'bcod-gguf-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
const ONE_AND_A_HALF = [0x00, 0x3e] // f16
const MINUS_TWO = [0x00, 0xc0]

/** One file with a field of each kind that is used, and a tensor of each packing. */
function file() {
  const blocks = {
    plain: Buffer.from(Float32Array.of(0.25, -3).buffer),
    q4_1: Buffer.from([...ONE_AND_A_HALF, ...MINUS_TWO, ...Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4))]),
    q8_0: Buffer.from([...MINUS_TWO, ...Array.from({ length: 32 }, (_, i) => (i - 16) & 255)]),
  }
  const head = Buffer.concat([
    ...[Buffer.from('GGUF'), u32(3), u64(3), u64(3)],
    ...[text('name'), u32(8), text('Löwe')],
    ...[text('heads'), u32(4), u32(9)],
    ...[text('tokens'), u32(9), u32(8), u64(2), text('a'), text('b')],
    ...[text('plain'), u32(1), u64(2), u32(0), u64(0)],
    ...[text('q4_1'), u32(2), u64(32), u64(1), u32(3), u64(32)],
    ...[text('q8_0'), u32(2), u64(16), u64(2), u32(8), u64(64)],
  ])
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)])
  const path = join(directory, 'model.gguf')
  writeFileSync(path, Buffer.concat([pad(head), pad(blocks.plain), pad(blocks.q4_1), blocks.q8_0]))
  return readGguf(path)
}

describe('readGguf', () => {
  it('reads texts, numbers and lists', () => {
    expect(file().fields).toEqual({ name: 'Löwe', heads: 9, tokens: ['a', 'b'] })
  })

  it('unpacks F32, Q4_1 and Q8_0', () => {
    const [plain, q4, q8] = file().tensors
    expect(plain?.shape).toEqual([2])
    expect([...(plain?.read() ?? [])]).toEqual([0.25, -3])
    expect(q4?.shape).toEqual([1, 32])
    expect([...(q4?.read() ?? [])]).toEqual([
      ...Array.from({ length: 16 }, (_, i) => 1.5 * i - 2),
      ...Array.from({ length: 16 }, (_, i) => 1.5 * (15 - i) - 2),
    ])
    expect(q8?.shape).toEqual([2, 16])
    expect([...(q8?.read() ?? [])]).toEqual(Array.from({ length: 32 }, (_, i) => -2 * (i - 16)))
  })

  it('refuses another version', () => {
    const path = join(directory, 'old.gguf')
    writeFileSync(path, Buffer.concat([Buffer.from('GGUF'), u32(2), u64(0), u64(0)]))
    expect(() => readGguf(path)).toThrow('not GGUF of version 3')
  })
})
