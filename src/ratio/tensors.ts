import { BcodError } from '../errors.js'

/** A saved state as named f64 tensors, which is how a checkpoint keeps it; scalars are packed into tensors. */
export type SavedTensors = Readonly<Record<string, Float64Array>>

/** A copy of one tensor of a saved state. INTERNAL if it is missing or has another length. */
export function readTensor(tensors: SavedTensors, name: string, length?: number): Float64Array {
  const found = tensors[name]
  if (!found || (length !== undefined && found.length !== length)) {
    throw new BcodError('INTERNAL', `saved prompt classifier: tensor ${name} is missing or has another length`)
  }
  return Float64Array.from(found)
}

/** Rows of one width, end to end. */
export function packRows(rows: readonly Float64Array[], width: number): Float64Array {
  const packed = new Float64Array(rows.length * width)
  rows.forEach((row, i) => {
    packed.set(row, i * width)
  })
  return packed
}

export const unpackRows = (packed: Float64Array, width: number): Float64Array[] =>
  Array.from({ length: packed.length / width }, (_, i) => packed.slice(i * width, (i + 1) * width))

/** `{ theta }` as `{ 'fit0.theta' }`. */
export const prefixed = (prefix: string, tensors: SavedTensors): SavedTensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}.${name}`, tensor]))

/** Those that `prefixed` named, under their own names. */
export const unprefixed = (prefix: string, tensors: SavedTensors): SavedTensors =>
  Object.fromEntries(
    Object.entries(tensors)
      .filter(([name]) => name.startsWith(`${prefix}.`))
      .map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]),
  )
