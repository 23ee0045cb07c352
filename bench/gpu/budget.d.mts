export function judge(
  counts: Readonly<Record<string, number>>,
  atMost: Readonly<Record<string, number>>,
): { readonly more: readonly string[]; readonly less: readonly string[] }
