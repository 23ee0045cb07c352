export const PRODUCTS: readonly string[]
export function productEnvironment(product: string): string
