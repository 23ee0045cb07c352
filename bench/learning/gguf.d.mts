export interface GgufTensor {
  readonly name: string
  /** The slowest dimension first. */
  readonly shape: readonly number[]
  readonly read: () => Float32Array
}
export function readGguf(path: string): {
  readonly fields: Readonly<Record<string, unknown>>
  readonly tensors: readonly GgufTensor[]
}
