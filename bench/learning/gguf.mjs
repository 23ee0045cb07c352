// Reads GGUF, llama.cpp's file of a model: its description and its tensors, unpacked to f32.
import { readFileSync } from 'node:fs'

/** https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
const MAGIC = 0x46554747
const [STRING, ARRAY] = [8, 9]
const NUMBERS = {
  ...{ 0: ['getUint8', 1], 1: ['getInt8', 1], 2: ['getUint16', 2], 3: ['getInt16', 2], 4: ['getUint32', 4] },
  ...{ 5: ['getInt32', 4], 6: ['getFloat32', 4], 7: ['getUint8', 1], 10: ['getBigUint64', 8] },
  ...{ 11: ['getBigInt64', 8], 12: ['getFloat64', 8] },
}

/** How tensors of a type are packed: numbers and bytes of a block, and what a block holds. */
const PACKINGS = {
  // F32
  0: {
    size: 1,
    bytes: 4,
    unpack(block, out, at) {
      out[at] = block.getFloat32(0, true)
    },
  },
  // Q4_1: scale and offset as f16, then two numbers to a byte, the first half of the block in the low bits
  3: {
    size: 32,
    bytes: 20,
    unpack(block, out, at) {
      const [scale, offset] = [half(block, 0), half(block, 2)]
      for (let i = 0; i < 16; i++) {
        const byte = block.getUint8(4 + i)
        out[at + i] = Math.fround(scale * (byte & 15)) + offset
        out[at + 16 + i] = Math.fround(scale * (byte >> 4)) + offset
      }
    },
  },
  // Q8_0: scale as f16, then a signed byte each
  8: {
    size: 32,
    bytes: 34,
    unpack(block, out, at) {
      const scale = half(block, 0)
      for (let i = 0; i < 32; i++) out[at + i] = scale * block.getInt8(2 + i)
    },
  },
}

/**
 * @returns `fields` by name, and `tensors`: name, `shape` with the slowest dimension first, and `read()`, its numbers
 *   as f32
 */
export function readGguf(path) {
  const bytes = readFileSync(path)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const number = (type) => {
    const [method, size] = NUMBERS[type]
    const value = view[method](at, true)
    at += size
    return typeof value === 'bigint' ? Number(value) : value
  }
  const [u32, u64] = [() => number(4), () => number(10)]
  const string = () => {
    const length = u64()
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const fieldOf = (type) => {
    if (type === STRING) return string()
    if (type !== ARRAY) return number(type)
    const [element, length] = [u32(), u64()]
    return Array.from({ length }, () => fieldOf(element))
  }
  if (u32() !== MAGIC || u32() !== 3) throw new Error(`${path}: not GGUF of version 3`)
  const [tensorCount, fieldCount] = [u64(), u64()]
  const fields = {}
  for (let i = 0; i < fieldCount; i++) fields[string()] = fieldOf(u32())
  const entries = Array.from({ length: tensorCount }, () => {
    const name = string()
    const shape = Array.from({ length: u32() }, u64).reverse()
    return { name, shape, type: u32(), offset: u64() }
  })
  const alignment = fields['general.alignment'] ?? 32
  const data = Math.ceil(at / alignment) * alignment
  const tensors = entries.map(({ name, shape, type, offset }) => ({
    name,
    shape,
    read: () => unpack({ bytes, at: data + offset, shape, packing: PACKINGS[type], name: `${path} ${name}` }),
  }))
  return { fields, tensors }
}

function unpack({ bytes, at, shape, packing, name }) {
  if (packing === undefined) throw new Error(`${name}: packed in a way that is not known`)
  const out = new Float32Array(shape.reduce((product, size) => product * size, 1))
  for (let i = 0; i < out.length; i += packing.size) {
    const place = at + (i / packing.size) * packing.bytes
    packing.unpack(new DataView(bytes.buffer, bytes.byteOffset + place, packing.bytes), out, i)
  }
  return out
}

/** An f16. */
function half(view, at) {
  const bits = view.getUint16(at, true)
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
