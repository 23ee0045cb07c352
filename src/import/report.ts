import type { FeedbackDraft } from '../events/encode.js'
import { SKIP_REASONS, type SkipReason } from './vote.js'

/** One record that gave no event. */
export interface SkippedRecord {
  readonly place: string
  readonly reason: SkipReason
  /** The field and what is wrong with it; never what is in it. */
  readonly detail?: string
}

/** What an import took and skipped, as `--json` prints it. No text of users is in it. */
export interface ImportReport {
  readonly format: string
  readonly source: string
  readonly events: number
  readonly up: number
  readonly down: number
  /** Votes that were taken back. */
  readonly retracted: number
  readonly users: number
  readonly skipped: number
  readonly skipped_by_reason: Readonly<Partial<Record<SkipReason, number>>>
  /** The first of each reason. */
  readonly skipped_records: readonly SkippedRecord[]
}

/** As many records of each reason are named. */
const NAMED = 100

/** Reasons that are faults of the file. */
const BROKEN: readonly SkipReason[] = ['unreadable', 'invalid']

/** Counts while an import runs. */
export class ReportBuilder {
  #up = 0
  #down = 0
  #retracted = 0
  readonly #users = new Set<string>()
  readonly #reasons = new Map<SkipReason, number>()
  readonly #records: SkippedRecord[] = []

  /** @param onBroken  told of every record that is not as its format wants it */
  constructor(
    private readonly format: string,
    private readonly source: string,
    private readonly onBroken: (record: SkippedRecord) => void = () => undefined,
  ) {}

  took({ label, user }: FeedbackDraft): void {
    if (label === null) this.#retracted += 1
    else if (label) this.#up += 1
    else this.#down += 1
    if (typeof user === 'string') this.#users.add(user)
  }

  skipped(place: string, reason: SkipReason, detail?: string): void {
    const before = this.#reasons.get(reason) ?? 0
    this.#reasons.set(reason, before + 1)
    const record = { place, reason, ...(detail !== undefined && { detail }) }
    if (before < NAMED) this.#records.push(record)
    if (BROKEN.includes(reason)) this.onBroken(record)
  }

  report(): ImportReport {
    const inOrder = (Object.keys(SKIP_REASONS) as SkipReason[]).filter((reason) => this.#reasons.has(reason))
    return {
      ...{ format: this.format, source: this.source },
      events: this.#up + this.#down + this.#retracted,
      ...{ up: this.#up, down: this.#down, retracted: this.#retracted, users: this.#users.size },
      skipped: [...this.#reasons.values()].reduce((sum, count) => sum + count, 0),
      skipped_by_reason: Object.fromEntries(inOrder.map((reason) => [reason, this.#reasons.get(reason)])),
      skipped_records: this.#records,
    }
  }
}
