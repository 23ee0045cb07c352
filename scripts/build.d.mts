export function build(options?: { readonly always?: boolean }): void
