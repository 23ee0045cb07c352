export function cacheRoot(): string
export function once(target: string, fill: (directory: string) => void): void
