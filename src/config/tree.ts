/** `[['batch.size', 8]]` → `{ batch: { size: 8 } }`. */
export function nest(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  const root: Record<string, unknown> = {}
  for (const [key, value] of entries) {
    const path = key.split('.')
    const name = path.pop()!
    let node = root
    for (const part of path) {
      node[part] ??= {}
      node = node[part] as Record<string, unknown>
    }
    node[name] = value
  }
  return root
}

/** The value at `batch.size`. */
export function at(tree: unknown, key: string): unknown {
  return key.split('.').reduce((node, part) => (node as Record<string, unknown> | undefined)?.[part], tree)
}

/** Freezes a tree of plain objects and lists, and returns it. */
export function deepFreeze<T>(tree: T): T {
  if (typeof tree === 'object' && tree !== null && !Object.isFrozen(tree)) {
    Object.freeze(tree)
    for (const child of Object.values(tree)) deepFreeze(child)
  }
  return tree
}
