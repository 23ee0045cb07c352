/** Where the tools are, or why there are none. */
export function findPrometheus(options?: {
  cache?: string
  download?: boolean
}): { bin: string; reason: null } | { bin: null; reason: string }
