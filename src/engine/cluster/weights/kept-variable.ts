import type { Variable } from '../../program.js'

/** Types of stored numbers that TensorFlow makes f32 or bfloat16 of with the same bits as `loadWeights` does. */
export type StoredType = 'F32' | 'F16' | 'BF16'

/** Numbers as they stand in a file. */
export interface StoredPart {
  /** Which of the files. */
  readonly file: number
  /** First byte, from the beginning of the file. */
  readonly begin: number
  readonly bytes: number
  readonly type: StoredType
}

/** A file of weights, which leader and workers have at the same path. */
export interface WeightFile {
  readonly path: string
  readonly bytes: number
}

/** A file whose bytes are known. */
export interface KnownFile extends WeightFile {
  /** `fingerprints` */
  readonly fingerprint: string
}

/** A variable that never changes: parts of files, one after the other, or as many zeros. */
export interface KeptVariable extends Variable {
  /** Its name at a server; follows from all that its values depend on, so that whatever has this name has these values. */
  readonly keptAs: string
  readonly parts: readonly (StoredPart | { readonly zeros: number })[]
}
