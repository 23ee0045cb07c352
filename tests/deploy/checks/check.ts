import type { Manifest } from '../manifest.js'

/** Something that must hold of rendered manifests and that the public validators do not look at. */
export interface Check {
  readonly name: string
  /** What does not hold; empty where all is well. */
  readonly findings: (manifests: readonly Manifest[]) => readonly string[]
}

/** `text` as the only finding where `wrong`. */
export const when = (wrong: boolean, text: string): readonly string[] => (wrong ? [text] : [])
