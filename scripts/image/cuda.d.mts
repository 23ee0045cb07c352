export const FILES: readonly string[]
export const LIBRARY_FOLDERS: readonly string[]
export const OPENED: Readonly<Record<string, string>>
export function pinnedWheels(): readonly { readonly name: string; readonly version: string; readonly sha256: string }[]
