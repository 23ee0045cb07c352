import { closeSync, openSync, writeSync } from 'node:fs'
import type { Dtype } from './header.js'

/** A tensor to be written; its dtype is that of its array. */
export interface WritableTensor {
  readonly shape: readonly number[]
  readonly data: WritableArray
}

export type WritableArray = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array

/**
 * The bytes of a safetensors file, as its header and then each tensor's own memory, nothing copied.
 * The same tensors give the same bytes: larger elements first (so that all are aligned), then by name in code-unit
 * order, the header padded with spaces to 8 bytes, as the reference implementation writes it.
 */
export function* safetensorsChunks(
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const ordered = [...tensors].sort(
    ([a, { data: x }], [b, { data: y }]) => y.BYTES_PER_ELEMENT - x.BYTES_PER_ELEMENT || (a < b ? -1 : 1),
  )
  yield header(ordered, metadata)
  for (const [, { data }] of ordered) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** Writes a safetensors file in place; for a file that must survive a crash, write the chunks durably instead. */
export function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, WritableTensor>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  const descriptor = openSync(path, 'w')
  try {
    for (const chunk of safetensorsChunks(tensors, metadata)) {
      for (let done = 0; done < chunk.length; ) done += writeSync(descriptor, chunk, done)
    }
  } finally {
    closeSync(descriptor)
  }
}

function header(tensors: readonly (readonly [string, WritableTensor])[], metadata: Readonly<Record<string, string>>) {
  const entries: [string, unknown][] = []
  if (Object.keys(metadata).length > 0) {
    entries.push(['__metadata__', Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))])
  }
  let begin = 0
  for (const [name, { shape, data }] of tensors) {
    const elements = shape.reduce((product, size) => product * size, 1)
    if (elements !== data.length) throw new TypeError(`${name}: shape [${shape}] does not hold ${data.length} elements`)
    const end = begin + data.byteLength
    entries.push([name, { dtype: dtypeOf(data), shape, data_offsets: [begin, end] }])
    begin = end
  }
  // Written entry by entry: an object would move names that look like integers to the front.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`
  const text = new TextEncoder().encode(json)
  const bytes = new Uint8Array(8 + Math.ceil(text.length / 8) * 8).fill(0x20)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true)
  bytes.set(text, 8)
  return bytes
}

function dtypeOf(data: WritableArray): Dtype {
  if (data instanceof Float32Array) return 'F32'
  if (data instanceof Float64Array) return 'F64'
  if (data instanceof Int32Array) return 'I32'
  return data instanceof BigInt64Array ? 'I64' : 'U8'
}
