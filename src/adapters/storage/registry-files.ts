/**
 * Where a registry keeps its files. A directory is one; an object store with conditional puts can be another. Paths are
 * relative, with `/`.
 */
export interface RegistryFiles {
  /** What errors name. */
  readonly place: string
  /** Makes the place ready to be written. @throws DIRECTORY_FOREIGN */
  take(): Promise<void>
  /** Names directly in a folder; none if it is not there. */
  names(folder: string): Promise<readonly string[]>
  /** Null if it is not there. */
  read(path: string): Promise<string | null>
  /**
   * Creates a file, durably, whole or not at all.
   *
   * @param written  called once the file is durable under another name
   * @returns false if somebody else has created it
   */
  create(path: string, text: string, written?: () => void): Promise<boolean>
  /** Replaces a file; a reader finds the old text or the new one, also after a power failure. */
  replace(path: string, text: string): Promise<void>
  /** Removes a file. */
  remove(path: string): Promise<void>
  /** Creates a version whole or not at all. */
  createVersion(version: string, files: Iterable<readonly [name: string, chunks: Iterable<Uint8Array>]>): Promise<void>
  removeVersion(version: string): Promise<void>
  /** Directory with the adapter of a version: its place, or a verified copy. @throws ADAPTER_UNKNOWN, S3_DAMAGED */
  local(version: string): Promise<string>
  /** The version that a name beside the versions leads to. A store without links has none. */
  link(name: string): Promise<string | null>
  /** Makes a name lead to a version; null: to none. After a power failure it may still lead where it did. */
  setLink(name: string, version: string | null): Promise<void>
  /** Removes what a killed process has left half made. */
  clear(): Promise<void>
}
