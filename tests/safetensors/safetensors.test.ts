import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { openModelTensors, weightFileNames } from '../../src/safetensors/directory.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { safetensorsChunks, type WritableTensor, writeSafetensors } from '../../src/safetensors/writer.js'

const root = mkdtempSync(join(tmpdir(), 'bcod-safetensors-'))
afterAll(() => rmSync(root, { recursive: true }))

const golden = join(import.meta.dirname, '../golden')
const path = join(root, 'file.safetensors')

/** A file from its parts: any header text, any data. */
function fileOf(header: string, data: Uint8Array = new Uint8Array()): string {
  const text = new TextEncoder().encode(header)
  const length = new Uint8Array(8)
  new DataView(length.buffer).setBigUint64(0, BigInt(text.length), true)
  writeFileSync(path, Buffer.concat([length, text, data]))
  return path
}

const one = (dtype: string, shape: number[], end: number) =>
  JSON.stringify({ x: { dtype, shape, data_offsets: [0, end] } })

function errorOf(action: () => unknown): BcodError {
  try {
    action()
  } catch (error) {
    if (error instanceof BcodError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('a safetensors file', () => {
  it('that transformers wrote is read with its names, shapes and numbers', () => {
    const file = openSafetensors(join(golden, 'tiny_llama/model.safetensors'))
    expect(file.metadata.get('format')).toBe('pt')
    expect(file.info('model.layers.0.self_attn.k_proj.weight')).toMatchObject({ dtype: 'F32', shape: [32, 64] })
    expect(file.floats('model.norm.weight')).toHaveLength(64)
    expect(file.names).toContain('model.embed_tokens.weight')
    file.close()
  })

  it('that PEFT wrote is written again byte for byte', () => {
    const source = join(golden, 'tiny_adapter/adapter_model.safetensors')
    const file = openSafetensors(source)
    const tensors = file.names.map((name) => [name, { shape: file.info(name).shape, data: file.floats(name) }] as const)
    file.close()
    writeSafetensors(path, new Map(tensors.reverse()), { format: 'pt' })
    expect(readFileSync(path).equals(readFileSync(source))).toBe(true)
  })

  it('names the tensor and the file when a tensor is not there', () => {
    const file = openSafetensors(fileOf(one('U8', [2], 2), Uint8Array.of(1, 2)))
    expect(errorOf(() => file.floats('y')).line).toBe(`MODEL_TENSOR_MISSING ${path}: no tensor y`)
    file.close()
  })

  it('names the file when there is none', () => {
    expect(errorOf(() => openSafetensors(join(root, 'none'))).line).toMatch(
      /^MODEL_FILE_MISSING .*none: cannot be opened/,
    )
  })
})

describe('element types', () => {
  const floats = (dtype: string, shape: number[], data: Uint8Array) => {
    const file = openSafetensors(fileOf(one(dtype, shape, data.length), data))
    const values = file.floats('x')
    file.close()
    return [...values]
  }
  const bytes = (array: Float64Array | Int32Array | BigInt64Array | Uint16Array) => new Uint8Array(array.buffer)

  it('F16 follows IEEE 754 binary16 in normals, subnormals, zeros and infinities', () => {
    // Values of the bit patterns as the standard and Wikipedia's table of binary16 examples give them.
    const bits = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x03ff, 0x0400, 0x3555, 0x7bff, 0x7c00, 0xfc00, 0x0000, 0x8000)
    const expected = [1, -2, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 0.333251953125, 65504, Infinity, -Infinity, 0, -0]
    expect(floats('F16', [11], bytes(bits))).toEqual(expected)
    expect(floats('F16', [1], bytes(Uint16Array.of(0x7e01)))).toEqual([Number.NaN])
  })

  it('BF16 is the upper half of an f32', () => {
    const bits = Uint16Array.of(0x3f80, 0xc000, 0x4049, 0x0080, 0x0001, 0x7f80)
    expect(floats('BF16', [6], bytes(bits))).toEqual([1, -2, 3.140625, 2 ** -126, 2 ** -133, Infinity])
  })

  it('F64, I64, I32 and U8 are rounded to f32', () => {
    expect(floats('F64', [2], bytes(Float64Array.of(0.1, -2)))).toEqual([Math.fround(0.1), -2])
    expect(floats('I64', [2], bytes(BigInt64Array.of(-3n, 16_777_217n)))).toEqual([-3, 16_777_216])
    expect(floats('I32', [2], bytes(Int32Array.of(-3, 7)))).toEqual([-3, 7])
    expect(floats('U8', [2, 1], Uint8Array.of(0, 255))).toEqual([0, 255])
  })

  it('others can be read as bytes, not as floats', () => {
    const file = openSafetensors(fileOf(one('BOOL', [2], 2), Uint8Array.of(0, 1)))
    expect([...file.bytes('x')]).toEqual([0, 1])
    expect(errorOf(() => file.floats('x')).message).toBe('tensor x of BOOL cannot be read as floats')
    file.close()
  })
})

describe('a broken file is refused with what is wrong', () => {
  const two = (a: [number, number], b: [number, number]) =>
    JSON.stringify({
      a: { dtype: 'U8', shape: [a[1] - a[0]], data_offsets: a },
      b: { dtype: 'U8', shape: [Math.max(0, b[1] - b[0])], data_offsets: b },
    })
  const cases: [string, string, Uint8Array, RegExp][] = [
    ['cut short in its data', one('F32', [2], 8), new Uint8Array(7), /cut short: tensors need 8 bytes .* got 7/],
    ['longer than its tensors', one('F32', [2], 8), new Uint8Array(9), /need 8 bytes after the header, the file has 9/],
    ['size against shape', one('F32', [2], 9), new Uint8Array(9), /x of F32 \[2\] needs 8 bytes, data_offsets give 9/],
    ['overlap', two([0, 4], [3, 5]), new Uint8Array(5), /b begins at byte 3, inside .* \(ends at 4\)/],
    ['hole', two([0, 2], [3, 5]), new Uint8Array(5), /bytes 2 to 3 before tensor b belong to no tensor/],
    ['unknown dtype', one('Q4', [2], 1), new Uint8Array(1), /x has the unknown dtype "Q4"/],
    ['dtype named like a built-in', one('toString', [2], 1), new Uint8Array(1), /unknown dtype/],
    ['negative size', one('U8', [-1], 1), new Uint8Array(1), /x has an invalid shape/],
    ['reversed offsets', two([0, 1], [2, 1]), new Uint8Array(1), /b ends at byte 1, before it begins at 2/],
    ['not JSON', '{"x":', new Uint8Array(), /header is not JSON/],
    ['not an object', '[]', new Uint8Array(), /header does not begin with/],
    ['metadata of numbers', '{"__metadata__":{"a":1}}', new Uint8Array(), /__metadata__ a is not a string/],
  ]
  it.each(cases)('%s', (_, header, data, message) => {
    const error = errorOf(() => openSafetensors(fileOf(header, data)))
    expect(error.code).toBe('SAFETENSORS_INVALID')
    expect(error.place).toBe(path)
    expect(error.message).toMatch(message)
  })

  it('header length beyond the file or the limit', () => {
    writeFileSync(path, Buffer.from([9, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x7d]))
    expect(errorOf(() => openSafetensors(path)).message).toMatch(/header ends at byte 17, the file has 10/)
    writeFileSync(path, Buffer.from([0, 0, 0, 0, 0, 0, 0, 1]))
    expect(errorOf(() => openSafetensors(path)).message).toMatch(/header of 72057594037927940 bytes, at most 100000000/)
    writeFileSync(path, Buffer.from([0, 0]))
    expect(errorOf(() => openSafetensors(path)).message).toMatch(/takes 8 bytes, got 2/)
  })

  it('any prefix of a good file', () => {
    const whole = readFileSync(join(golden, 'tiny_adapter/adapter_model.safetensors'))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), (length) => {
        writeFileSync(path, whole.subarray(0, length))
        expect(errorOf(() => openSafetensors(path)).code).toBe('SAFETENSORS_INVALID')
      }),
    )
  })

  it('any bytes at all give tensors or a coded error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.json(), (bytes, json) => {
        for (const file of [() => writeFileSync(path, bytes), () => fileOf(json, bytes)]) {
          file()
          try {
            openSafetensors(path).close()
          } catch (error) {
            expect(error).toBeInstanceOf(BcodError)
          }
        }
      }),
    )
  })
})

describe('the writer', () => {
  const bits = (length: number) => fc.uint8Array({ minLength: length * 8, maxLength: length * 8 })
  const tensor: fc.Arbitrary<WritableTensor> = fc
    .tuple(fc.array(fc.nat(3), { maxLength: 3 }), fc.nat(4))
    .chain(([shape, kind]) => {
      const length = shape.reduce((product, size) => product * size, 1)
      return bits(length).map((raw) => {
        const { buffer } = raw.slice()
        const data = [
          () => new Float32Array(buffer, 0, length),
          () => new Float64Array(buffer, 0, length),
          () => new Int32Array(buffer, 0, length),
          () => new BigInt64Array(buffer, 0, length),
          () => new Uint8Array(buffer, 0, length),
        ][kind]!()
        return { shape, data }
      })
    })
  const names = fc.string({ unit: 'grapheme', minLength: 1 }).filter((name) => name !== '__metadata__')
  const files = fc.uniqueArray(fc.tuple(names, tensor), { maxLength: 5, selector: ([name]) => name })

  it('loses no bit of any tensor, whatever its name', () => {
    fc.assert(
      fc.property(files, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        writeSafetensors(path, new Map(tensors), metadata)
        const file = openSafetensors(path)
        expect(file.names).toHaveLength(tensors.length)
        expect(Object.fromEntries(file.metadata)).toEqual({ ...metadata })
        for (const [name, { shape, data }] of tensors) {
          expect(file.info(name).shape).toEqual(shape)
          expect(Buffer.from(file.bytes(name)).equals(new Uint8Array(data.buffer, 0, data.byteLength))).toBe(true)
        }
        file.close()
      }),
    )
  })

  it('gives the same bytes for the same tensors in any order, every tensor aligned to its elements', () => {
    fc.assert(
      fc.property(files, (tensors) => {
        const bytes = Buffer.concat([...safetensorsChunks(new Map(tensors))])
        expect(bytes.equals(Buffer.concat([...safetensorsChunks(new Map([...tensors].reverse()))]))).toBe(true)
        writeFileSync(path, bytes)
        const file = openSafetensors(path)
        expect(bytes.readUInt32LE(0) % 8).toBe(0)
        for (const [name, { data }] of tensors) expect(file.info(name).begin % data.BYTES_PER_ELEMENT).toBe(0)
        file.close()
      }),
    )
  })
})

describe('a model directory', () => {
  const f32 = (...values: number[]) => ({ shape: [values.length], data: Float32Array.from(values) })
  const write = (name: string, tensors: Record<string, WritableTensor>) =>
    writeSafetensors(join(root, name), new Map(Object.entries(tensors)))
  const index = (map: Record<string, string>) =>
    writeFileSync(join(root, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map: map }))

  it('in shards is read through its index', () => {
    write('model-1.safetensors', { a: f32(1, 2) })
    write('model-2.safetensors', { b: f32(3) })
    index({ b: 'model-2.safetensors', a: 'model-1.safetensors' })
    const tensors = openModelTensors(root)
    expect([...tensors.floats('a'), ...tensors.floats('b')]).toEqual([1, 2, 3])
    expect(weightFileNames(root)).toEqual(['model-1.safetensors', 'model-2.safetensors'])
    expect(errorOf(() => tensors.info('c')).line).toMatch(/^MODEL_TENSOR_MISSING .*index.json: no tensor c$/)
    tensors.close()
  })

  it('whose shard lacks a tensor of the index is refused at once, naming both', () => {
    index({ a: 'model-1.safetensors', c: 'model-2.safetensors' })
    expect(errorOf(() => openModelTensors(root)).line).toMatch(
      /^MODEL_TENSOR_MISSING .*model-2.safetensors: no tensor c$/,
    )
  })

  it('without a shard, without weights, or with an index that leaves the directory is refused', () => {
    index({ a: 'model-3.safetensors' })
    expect(errorOf(() => openModelTensors(root)).code).toBe('MODEL_FILE_MISSING')
    index({ a: '../model-1.safetensors' })
    expect(errorOf(() => openModelTensors(root)).code).toBe('SAFETENSORS_INVALID')
    expect(errorOf(() => openModelTensors(golden)).line).toMatch(/neither model.safetensors nor .* is there/)
  })
})
