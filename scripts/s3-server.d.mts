export function findS3Server(options?: { readonly cache?: string; readonly build?: boolean }): {
  readonly program: string | null
  readonly reason: string | null
}
