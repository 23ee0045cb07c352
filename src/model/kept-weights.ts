import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { KeptVariable, KnownFile, StoredPart, WeightFile } from '../engine/cluster/weights/kept-variable.js'
import { weightFileNames } from '../safetensors/directory.js'
import type { TensorReader } from '../safetensors/reader.js'
import type { Architecture } from './architecture.js'
import type { WeightVariable } from './parameters.js'
import { requireTensor } from './tied-head.js'

/** The files of a model's weights. @throws MODEL_FILE_MISSING, SAFETENSORS_INVALID */
export const weightFiles = (directory: string): readonly WeightFile[] =>
  weightFileNames(directory).map((name) => {
    const path = join(directory, name)
    return { path, bytes: statSync(path).size }
  })

/**
 * Frozen variables as servers keep them and read them from files.
 *
 * @param architecture  with its ties resolved
 * @param files         of the model, with what tells their bytes apart
 * @returns null if a tensor has a type that only the leader reads
 * @throws MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE
 */
export function keptVariables(
  variables: readonly WeightVariable[],
  architecture: Architecture,
  reader: TensorReader,
  files: readonly KnownFile[],
): readonly KeptVariable[] | null {
  const paths = files.map(({ path }) => path)
  const kept = variables.map((variable): KeptVariable | null => {
    const parts = variable.parts.map((part) =>
      'zeros' in part ? part : storedPart(requireTensor(part, architecture, reader), reader, paths),
    )
    if (!parts.every((part) => part !== null)) return null
    const { name, dtype, shape } = variable
    const content = JSON.stringify([files.map(({ bytes, fingerprint }) => [bytes, fingerprint]), dtype, shape, parts])
    const hash = createHash('sha256').update(content).digest('hex').slice(0, NAME_DIGITS)
    return { ...variable, parts, keptAs: `${name}/${hash}` }
  })
  return kept.every((variable) => variable !== null) ? kept : null
}

const NAME_DIGITS = 32

function storedPart(name: string, reader: TensorReader, paths: readonly string[]): StoredPart | null {
  const { dtype: type } = reader.info(name)
  if (type !== 'F32' && type !== 'F16' && type !== 'BF16') return null
  const { path, begin, bytes } = reader.location(name)
  return { file: paths.indexOf(path), begin, bytes, type }
}
