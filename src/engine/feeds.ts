import { atPlace } from './places.js'
import type { Program } from './program.js'
import { byteShape, feedName, writeFeedName } from './saved-model.js'
import type { Feed } from './tensorflow.js'
import type { Variable } from './variable.js'

export type InputValue = Int32Array | Float32Array | number

/** What is fed to run a program. @param runner  the place whose node runs it */
export function programFeeds(
  { name, inputs: wanted }: Program,
  inputs: Readonly<Record<string, InputValue>>,
  runner: number,
): readonly Feed[] {
  return Object.entries(wanted).map(([key, { shape, dtype }]) => {
    const value = inputs[key]
    if (value === undefined) throw new Error(`${name}: input ${key} is missing`)
    const array = typeof value === 'number' ? (dtype === 'int32' ? Int32Array : Float32Array).of(value) : value
    const size = shape.reduce((a, b) => a * b, 1)
    if (array.length !== size) throw new Error(`${name}: input ${key} has ${array.length} values, not ${size}`)
    if (array instanceof Int32Array !== (dtype === 'int32')) throw new Error(`${name}: input ${key} is not ${dtype}`)
    return {
      name: `${atPlace(runner, feedName(name, key))}:0`,
      shape,
      values: new Int32Array(array.buffer, array.byteOffset, array.length),
    }
  })
}

/** A value for a variable, the same for all places: its little-endian bytes, or floats. */
export function variableFeed(variable: Variable, value: Uint8Array | Float32Array | Int32Array): Feed {
  const shape = byteShape(variable)
  const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  const size = shape.reduce((a, b) => a * b, 1)
  if (bytes.length !== size) throw new Error(`variable ${variable.name}: ${bytes.length} bytes, not ${size}`)
  return { name: `${writeFeedName(variable.name)}:0`, shape, values: bytes }
}
