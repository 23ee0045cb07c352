export const NODES: readonly { readonly version: string; readonly sha256: string }[]
