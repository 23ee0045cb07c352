import type { Context, Fields } from './sequence.mjs'

export function golden(
  ...options: string[]
): (
  context: Context,
  seconds: number,
) => Promise<{ readonly worst: Readonly<Record<string, number>>; readonly within?: boolean; readonly error?: string }>
export function bcod(
  of: { readonly shape: string; readonly workload?: string; readonly batch?: number; readonly steps: number },
  ...set: string[]
): (context: Context, seconds: number) => Promise<Fields>
