export function placeContent(content: string | Uint8Array, path: string, mode?: number): boolean
export function placeFile(from: string, path: string): boolean
export function placeLink(target: string, path: string): boolean
export function placeTree(from: string, path: string): void
export function removeOthers(from: string, path: string): void
