export const PRODUCTS: readonly string[]
export function productEnvironment(product: string): string
export function flowiseProgram(): readonly [node: string, program: string]
