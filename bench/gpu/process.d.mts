export function runFor(
  seconds: number,
  command: readonly string[],
  options?: { readonly env?: NodeJS.ProcessEnv; readonly log?: (text: string) => void },
): Promise<{ readonly lines: readonly Readonly<Record<string, unknown>>[]; readonly problem: string | null }>
