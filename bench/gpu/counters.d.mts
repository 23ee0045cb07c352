export const COUNTERS: readonly string[]
export function makeCounters(path: string): void
export function readCounters(path: string): Readonly<Record<string, number>>
export function combine(
  of: (...counts: number[]) => number,
  ...all: readonly Readonly<Record<string, number>>[]
): Readonly<Record<string, number>>
