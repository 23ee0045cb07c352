export const USER: number
export interface DebianPackage {
  readonly name: string
  readonly version: string
}
export function layOutSystem(
  out: string,
  binaries: readonly string[],
): { readonly libraries: readonly string[]; readonly packages: readonly DebianPackage[] }
export function layOutVolumes(out: string): void
