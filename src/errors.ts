import { ADAPTER_ERRORS } from './errors/adapters.js'
import { CHECKPOINT_ERRORS } from './errors/checkpoint.js'
import { CLUSTER_ERRORS } from './errors/cluster.js'
import { CONFIGURATION_ERRORS } from './errors/configuration.js'
import type { ErrorEntry } from './errors/entry.js'
import { FEEDBACK_ERRORS } from './errors/feedback.js'
import { FILE_ERRORS } from './errors/files.js'
import { GATE_ERRORS } from './errors/gate.js'
import { IMPORT_ERRORS } from './errors/import.js'
import { KAFKA_ERRORS } from './errors/kafka.js'
import { MODEL_ERRORS } from './errors/model.js'
import { PROCESS_ERRORS } from './errors/process.js'
import { S3_ERRORS } from './errors/s3.js'
import { SERVING_ERRORS } from './errors/serving.js'
import { TEXT_ERRORS } from './errors/text.js'
import { TRAINING_ERRORS } from './errors/training.js'
import { UPSTREAM_ERRORS } from './errors/upstream.js'
import { VOTE_ERRORS } from './errors/votes.js'
import { printableLine } from './printable.js'

/**
 * Every error that bcod can show. `docs/errors.md` is generated from it.
 * A code is stable: alerts, dead letters and scripts match on it.
 */
export const ERRORS = {
  ...CONFIGURATION_ERRORS,
  ...KAFKA_ERRORS,
  ...FEEDBACK_ERRORS,
  ...IMPORT_ERRORS,
  ...TEXT_ERRORS,
  ...MODEL_ERRORS,
  ...TRAINING_ERRORS,
  ...CLUSTER_ERRORS,
  ...ADAPTER_ERRORS,
  ...S3_ERRORS,
  ...SERVING_ERRORS,
  ...UPSTREAM_ERRORS,
  ...GATE_ERRORS,
  ...VOTE_ERRORS,
  ...CHECKPOINT_ERRORS,
  ...FILE_ERRORS,
  ...PROCESS_ERRORS,
}

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** Where it happened: a config key, a file, a JSON path, topic-partition-offset. Never user text. */
  readonly place?: string
  readonly cause?: unknown
  /** Replaces the general remedy of the code where a more exact one is known. */
  readonly remedy?: string
}

/** An error with a stable code, the place where it happened and what to do next. */
export class BcodError extends Error {
  override readonly name = 'BcodError'
  readonly place: string | undefined
  readonly remedy: string

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.place = details.place
    this.remedy = details.remedy ?? ERRORS[code].remedy
  }

  /** Whether the daemon ends with it wherever it happens. */
  get fatal(): boolean {
    return entry(this.code).fatal === true
  }

  /** Whether the same call may succeed later by itself. */
  get retryable(): boolean {
    return entry(this.code).retryable === true
  }

  /** `CODE place: message`, on one line, fit for a terminal. */
  get line(): string {
    return printableLine(`${this.code}${this.place ? ` ${this.place}` : ''}: ${this.message}`)
  }
}

const entry = (code: ErrorCode): ErrorEntry => ERRORS[code]

/** Whether the daemon must end: a fatal code, or an error without a code, of which nothing is known. */
export const isFatal = (error: unknown): boolean => !(error instanceof BcodError) || error.fatal

/** An error that the command line answers with exit code 2. */
export const isUsageError = (error: unknown): boolean =>
  error instanceof BcodError && error.code in CONFIGURATION_ERRORS

/** The error itself if it has a code; INTERNAL for one that nobody foresaw. */
export const asCoded = (error: unknown): BcodError =>
  error instanceof BcodError ? error : new BcodError('INTERNAL', 'unexpected error', { cause: error })
