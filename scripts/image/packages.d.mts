export interface ProductionPackage {
  readonly path: string
  readonly name: string
  readonly version: string
}
export function productionPackages(root: string): readonly ProductionPackage[]
export function neededFiles(folder: string, name: string): readonly string[]
export function shippedPackages(root: string): readonly ProductionPackage[]
