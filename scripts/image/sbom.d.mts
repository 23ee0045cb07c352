import type { DebianPackage } from './system.mjs'

export interface Component {
  readonly type: string
  readonly 'bom-ref': string
  readonly name: string
  readonly version?: string
  readonly purl?: string
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
}
export interface Sbom {
  readonly bomFormat: string
  readonly specVersion: string
  readonly metadata: { readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
}
export function sbom(options: {
  root: string
  variant: 'cpu' | 'gpu'
  files: readonly string[]
  packages?: readonly DebianPackage[]
}): Sbom
