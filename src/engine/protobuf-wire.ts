/** What is needed of protobuf's wire format: tfjs-node bundles no classes for these messages. */

/** A message, or a part of one. Parts follow each other in a message. */
export type Part = Buffer

export const message = (...parts: readonly Part[]): Part => Buffer.concat(parts)

/** A number or a flag. @param value  not negative */
export const varint = (field: number, value: number): Part => Buffer.concat([number(field * 8), number(value)])

/** A text, bytes or a message within one. */
export function bytes(field: number, value: string | Uint8Array): Part {
  const content = Buffer.from(value as string)
  return Buffer.concat([number(field * 8 + 2), number(content.length), content])
}

function number(value: number): Buffer {
  const digits: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...digits, rest])
    digits.push((rest % 128) + 128)
  }
}

/** A field as it stands in a message: a number, or the bytes of a text, of a message or of eight or four bytes. */
export interface Field {
  readonly field: number
  readonly value: bigint | Buffer
}

/**
 * The fields of a message, in their order.
 * @throws RangeError for bytes that are none
 */
export function* fieldsOf(content: Buffer): Generator<Field> {
  let at = 0
  const next = (): bigint => {
    for (let value = 0n, shift = 0n; ; shift += 7n) {
      const digit = content.readUInt8(at++)
      value |= BigInt(digit & 127) << shift
      if (digit < 128) return value
      if (shift > 63n) throw new RangeError('a number is too long')
    }
  }
  while (at < content.length) {
    const tag = Number(next())
    const field = tag >>> 3
    const kind = tag & 7
    if (kind === 0) {
      yield { field, value: next() }
      continue
    }
    const size = kind === 1 ? 8 : kind === 5 ? 4 : kind === 2 ? Number(next()) : Number.NaN
    if (!(at + size <= content.length)) throw new RangeError('a field is cut short')
    yield { field, value: content.subarray(at, at + size) }
    at += size
  }
}
