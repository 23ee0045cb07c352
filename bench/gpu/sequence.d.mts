export interface Context {
  readonly work: string
  readonly python: string
  readonly peak: number | null
  device: { readonly gpus: readonly string[] } | null
  readonly log: (text: string) => void
}
export type Fields = Readonly<Record<string, unknown>>
export type Run = (context: Context, seconds: number) => Fields | Promise<Fields>
export interface Step {
  readonly name: string
  readonly seconds: number
  readonly gpus: number
  readonly run: Run
}
export function sequence(
  steps: readonly Step[],
  options: { readonly context: Context; readonly device: Run; readonly limit: number },
): AsyncGenerator<Fields & { readonly step: string }>
export function sayLine(line: Fields): void
