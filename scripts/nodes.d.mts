export const NODES: readonly { readonly version: string; readonly sha256: string }[]
export function nodeOf(version: { readonly version: string; readonly sha256: string }): string
