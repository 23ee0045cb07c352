import { BcodError } from '../errors.js'

/** Bytes per element of every element type that the format names and whose elements are whole bytes. */
export const DTYPE_BYTES = {
  F64: 8,
  I64: 8,
  U64: 8,
  F32: 4,
  I32: 4,
  U32: 4,
  F16: 2,
  BF16: 2,
  I16: 2,
  U16: 2,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const

export type Dtype = keyof typeof DTYPE_BYTES

export interface TensorInfo {
  readonly name: string
  readonly dtype: Dtype
  readonly shape: readonly number[]
  /** First byte and the byte after the last, counted from the end of the header. */
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly metadata: ReadonlyMap<string, string>
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
}

/** The limit of the reference implementation (huggingface/safetensors, tensor.rs). */
export const MAX_HEADER_BYTES = 100_000_000

/**
 * Reads the JSON header and compares it with the bytes that follow it: known types, sizes that agree with the shapes,
 * and data that the tensors cover from the first byte to the last, without overlap or hole.
 *
 * @param header     the header alone, without its length prefix
 * @param dataBytes  how many bytes follow the header
 * @param place      the file, for the error
 * @throws SAFETENSORS_INVALID
 */
export function parseHeader(header: Uint8Array, dataBytes: number, place: string): Header {
  const fail = (message: string): never => {
    throw new BcodError('SAFETENSORS_INVALID', message, { place })
  }
  const { __metadata__: metadata = {}, ...entries } = parseObject(header, fail)
  if (!isObject(metadata)) return fail('__metadata__ is not an object')
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') fail(`__metadata__ ${key} is not a string`)
  }
  const infos = Object.entries(entries).map(([name, entry]) => tensorInfo(name, entry, fail))
  infos.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { name, begin, end } of infos) {
    if (begin < covered)
      fail(`tensor ${name} begins at byte ${begin}, inside the tensor before it (ends at ${covered})`)
    if (begin > covered) fail(`bytes ${covered} to ${begin} before tensor ${name} belong to no tensor`)
    covered = end
  }
  if (covered > dataBytes) fail(`file is cut short: tensors need ${covered} bytes after the header, got ${dataBytes}`)
  if (covered < dataBytes) fail(`tensors need ${covered} bytes after the header, the file has ${dataBytes}`)
  return {
    metadata: new Map(Object.entries(metadata as Record<string, string>)),
    tensors: new Map(infos.map((info) => [info.name, info])),
  }
}

type Fail = (message: string) => never

function parseObject(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  if (bytes[0] !== 0x7b) return fail('header does not begin with {')
  let parsed: unknown
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return fail('header is not JSON in UTF-8')
  }
  return isObject(parsed) ? parsed : fail('header is not an object')
}

function tensorInfo(name: string, entry: unknown, fail: Fail): TensorInfo {
  if (!isObject(entry)) return fail(`tensor ${name} is not an object`)
  const { dtype, shape, data_offsets: offsets } = entry
  if (!isDtype(dtype)) return fail(`tensor ${name} has the unknown dtype ${JSON.stringify(dtype)}`)
  if (!isSizes(shape)) return fail(`tensor ${name} has an invalid shape`)
  if (!isSizes(offsets) || offsets.length !== 2) return fail(`tensor ${name} has invalid data_offsets`)
  const [begin, end] = offsets as [number, number]
  if (begin > end) return fail(`tensor ${name} ends at byte ${end}, before it begins at ${begin}`)
  const expected = shape.reduce((product, size) => product * size, DTYPE_BYTES[dtype])
  if (expected !== end - begin) {
    return fail(`tensor ${name} of ${dtype} [${shape}] needs ${expected} bytes, data_offsets give ${end - begin}`)
  }
  return { name, dtype, shape, begin, end }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isDtype = (value: unknown): value is Dtype => typeof value === 'string' && Object.hasOwn(DTYPE_BYTES, value)

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
