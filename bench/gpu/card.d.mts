export interface CardRow {
  readonly at: number
  readonly index: number
  readonly mib: number
  readonly busy: number
  readonly mhz: number
  readonly watt: number
}
export interface CardReport {
  readonly peak_mib: number
  readonly busy_percent: number | null
  readonly sm_mhz: number | null
  readonly watt: number | null
}
export interface Card {
  readonly name: string
  readonly driver: string
  readonly memory_mib: number
}
export function peakOf(name: string): number | null
export function cards(): readonly Card[]
export function cardReport(rows: readonly CardRow[], from: number, to: number): readonly CardReport[]
export class CardWatch {
  stop(): void
  report(from: number, to: number): readonly CardReport[]
}
