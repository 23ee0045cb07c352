import type { Dtype } from './header.js'

/**
 * Elements of any supported type as f32. F32 keeps its bits and shares the bytes; F16 and BF16 are exact, NaN payloads
 * included; F64 and I64 and I32 are rounded to nearest.
 *
 * @param bytes  little-endian elements, aligned to their size
 * @returns null for a type that has no reading as floats here
 */
export function toFloat32(bytes: Uint8Array<ArrayBuffer>, dtype: Dtype): Float32Array<ArrayBuffer> | null {
  const { buffer, byteOffset, byteLength } = bytes
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, byteLength / 4)
    case 'BF16':
      return fromBits(new Uint16Array(buffer, byteOffset, byteLength / 2), (half) => half << 16)
    case 'F16':
      return fromBits(new Uint16Array(buffer, byteOffset, byteLength / 2), halfToSingle)
    case 'F64':
      return Float32Array.from(new Float64Array(buffer, byteOffset, byteLength / 8))
    case 'I64':
      return Float32Array.from(new BigInt64Array(buffer, byteOffset, byteLength / 8), Number)
    case 'I32':
      return Float32Array.from(new Int32Array(buffer, byteOffset, byteLength / 4))
    case 'U8':
      return Float32Array.from(bytes)
    default:
      return null
  }
}

function fromBits(halves: Uint16Array, single: (half: number) => number): Float32Array<ArrayBuffer> {
  const bits = new Int32Array(halves.length)
  for (let i = 0; i < halves.length; i++) bits[i] = single(halves[i] as number)
  return new Float32Array(bits.buffer)
}

/** Bits of an IEEE 754 binary16 as the bits of the binary32 of the same value. */
function halfToSingle(half: number): number {
  const sign = (half & 0x8000) << 16
  const exponent = (half >> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0x1f) return sign | 0x7f800000 | (fraction << 13)
  if (exponent !== 0) return sign | ((exponent + 112) << 23) | (fraction << 13)
  if (fraction === 0) return sign
  const shift = Math.clz32(fraction) - 21
  return sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
}
