import type { TrainingEvent } from '../events/types.js'
import type { JournalEvent, JournalLine, JournalSettings, Resumption } from './journal.js'

/** What the journal keeps of an applied step. */
export interface JournalledStep {
  readonly step: number
  /** The events that trained, as indexes into those handed to the step. */
  readonly trained: readonly number[]
  /** w(x) of each of them. */
  readonly densityRatios: readonly number[]
  /** The split: indexes into `trained`. */
  readonly microBatches: readonly (readonly number[])[]
  readonly delta: number
  readonly lr: number
  readonly loss: number
  /** π̂ of thumbs-up before the step. */
  readonly upShare: number
  readonly adapterSha256: string
}

/**
 * The journal's line of an applied step.
 *
 * @param events       those handed to the step, which `applied.trained` counts in
 * @param quarantined  taken for this step, or for ones before it that were not applied, and put aside
 */
export function journalLine(
  applied: JournalledStep,
  events: readonly TrainingEvent[],
  { quarantined, blockLimit, reference, keepEvents, settings }: JournalOptions,
): JournalLine {
  return {
    step: applied.step,
    events: applied.trained.map((index, place) =>
      journalEvent(events[index] as TrainingEvent, applied.densityRatios[place] as number, keepEvents),
    ),
    microBatches: applied.microBatches,
    ...(blockLimit === null ? {} : { blockLimit }),
    delta: applied.delta,
    reference,
    lr: applied.lr,
    loss: applied.loss,
    classRate: applied.upShare,
    quarantined: quarantined.map(({ position }) => position),
    ...(settings ? { settings } : {}),
    adapter_sha256: applied.adapterSha256,
    time: new Date().toISOString(),
  }
}

/** What the learner is after a resumption. */
export interface ResumedStep {
  readonly step: number
  readonly delta: number
  readonly adapterSha256: string
}

/** The journal's line of a resumption: it has a number as a step has, and no events. */
export function resumptionLine(
  { step, delta, adapterSha256 }: ResumedStep,
  resumed: Resumption,
  { reference, settings }: Pick<JournalOptions, 'reference' | 'settings'>,
): JournalLine {
  return {
    ...{ step, resumed, events: [], microBatches: [], delta, reference, lr: null, loss: null, classRate: null },
    quarantined: [],
    ...(settings ? { settings } : {}),
    adapter_sha256: adapterSha256,
    time: new Date().toISOString(),
  }
}

export interface JournalOptions {
  readonly quarantined: readonly TrainingEvent[]
  readonly blockLimit: number | null
  /** `base`, or the adapter version that is the reference. */
  readonly reference: string
  /** Whether token ids are kept. */
  readonly keepEvents: boolean
  /** On the first step of a process. */
  readonly settings?: JournalSettings | undefined
}

/** Kept whatever `keepEvents` says: the endpoint may say something else, or nothing, when the step is done again. */
function embeddingField({ promptEmbedding: given }: TrainingEvent): Pick<JournalEvent, 'embedding'> {
  if (given === undefined) return {}
  return { embedding: given && Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('base64') }
}

/** The embedding as it was written. */
export const readEmbedding = (written: string | null): Float32Array | null =>
  written === null ? null : new Float32Array(Uint8Array.from(Buffer.from(written, 'base64')).buffer)

function journalEvent(event: TrainingEvent, w: number, keepEvents: boolean): JournalEvent {
  const { position, source, id, label, weight, promptTokens, completionTokens } = event
  const tokens = keepEvents ? { prompt_tokens: promptTokens, completion_tokens: completionTokens } : {}
  return { ...position, source, id, label, weight, w, ...tokens, ...embeddingField(event) }
}
