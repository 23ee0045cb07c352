export const TENSORFLOW: string
export const WHEELS: Readonly<
  Record<'cpu' | 'gpu', { readonly name: string; readonly megabytes: number; readonly sha256: string }>
>
