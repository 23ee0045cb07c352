/** One import or re-export: paths of both files. */
export interface Arrow {
  readonly from: string
  readonly to: string
  /** Whether nothing of it is left when the program runs. */
  readonly typeOnly: boolean
}

export interface PackageImport {
  readonly file: string
  readonly package: string
  readonly typeOnly: boolean
}

export function importArrows(folder: string): readonly Arrow[]
export function packageImports(folder: string): readonly PackageImport[]
export function folderOf(root: string, file: string): string
export function folderArrows(root: string, arrows: readonly Arrow[]): ReadonlyMap<string, ReadonlySet<string>>
export function fileGraph(arrows: readonly Arrow[]): ReadonlyMap<string, readonly string[]>
export function circles(graph: ReadonlyMap<string, Iterable<string>>): readonly (readonly string[])[]
