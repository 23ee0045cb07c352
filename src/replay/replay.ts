import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { writeAdapter } from '../adapters/weights/peft.js'
import type { Config } from '../config/config.js'
import { eventEmbedding } from '../embeddings/event-embedding.js'
import { BcodError } from '../errors.js'
import { InvalidRows } from '../events/invalid-rows.js'
import { systemCode } from '../files/durable-files.js'
import type { Learner } from '../learner/learner.js'
import { batches } from './batches.js'
import { type EventFile, emptyTally, fileEvents, type Survey, survey } from './events.js'
import { Lineage } from './lineage.js'
import { OutputDirectory } from './output.js'
import { type StepLine, stepLine } from './step-line.js'

export interface ReplayOptions {
  readonly config: Config
  readonly modelPath: string
  readonly events: Pick<EventFile, 'path' | 'text' | 'vocabSize' | 'maxLength'>
  /** Directory of the results; it must not exist or be empty. */
  readonly out: string
  /** Called with what was found; rows that cannot be used are skipped unless it throws. @default throws `InvalidRows` */
  readonly onSurvey?: (found: Survey) => void
  /** Called once every row of the file has been looked at. */
  readonly openLearner: () => Promise<Learner>
  /** Called when the embedding service gives no embeddings. */
  readonly onEmbeddingsFailed?: (error: BcodError) => void
  /** Called when memory allows no larger blocks than this, in positions. */
  readonly onBlockLimit?: (positions: number) => void
  /** @param total  events of the file that train */
  readonly onStep?: (line: StepLine, trained: number, total: number) => void
}

export interface ReplaySummary {
  /** Rows of the file. */
  readonly events: number
  readonly trained: number
  readonly steps: number
  /** Rows that could not be used. */
  readonly skipped_invalid: number
  readonly dropped: number
  readonly dropped_by_reason: Readonly<Record<string, number>>
  readonly held_out: number
  /** Events whose prompt was cut to limits.maxLength. */
  readonly shortened: number
  readonly quarantined: number
  readonly loss_first: number | null
  readonly loss_last: number | null
  /** The δ that the last step used. */
  readonly delta: number | null
  readonly adapter_sha256: string
  /** Training alone: without reading the model and the first pass over the file. */
  readonly seconds: number
}

/** Names of the results in the directory; the adapter comes last, so where it is, all of them are. */
const RESULTS = ['steps.jsonl', 'checkpoint', 'adapter'] as const

/**
 * The learner alone over a file of feedback, in file order: `steps.jsonl`, `adapter/`, and `checkpoint/` with the
 * initial and the last checkpoint and the journal between them. The file is read twice: all bad rows are found
 * before anything is computed. Where it fails, the directory is left as it was.
 *
 * @throws OUTPUT_NOT_EMPTY, OUTPUT_UNWRITABLE, InvalidRows, the errors of model and checkpoint
 */
export async function replayFile(options: ReplayOptions): Promise<ReplaySummary> {
  const output = new OutputDirectory(options.out)
  try {
    const file = { ...options.events, config: options.config }
    const found = await survey(file)
    const { onSurvey = refuseInvalid(file.path) } = options
    onSurvey(found)
    const learner = await options.openLearner()
    try {
      const skipping = { ...file, onInvalid: () => undefined }
      const summary = await train(learner, { file: skipping, total: found.total, directory: output.staging }, options)
      output.finish(...RESULTS)
      return summary
    } finally {
      learner.dispose()
    }
  } catch (error) {
    output.abandon()
    const reason = systemCode(error)
    if (reason === undefined) throw error
    throw new BcodError('OUTPUT_UNWRITABLE', `a result was not written (${reason})`, {
      place: output.directory,
      cause: error,
    })
  }
}

const refuseInvalid =
  (path: string) =>
  ({ invalid }: Survey): void => {
    if (invalid.length > 0) throw new InvalidRows(path, invalid)
  }

async function train(
  learner: Learner,
  { file, total, directory }: { readonly file: EventFile; readonly total: number; readonly directory: string },
  { config, modelPath, onStep, onBlockLimit, onEmbeddingsFailed = () => undefined }: ReplayOptions,
): Promise<ReplaySummary> {
  const started = performance.now()
  const tally = emptyTally()
  const embed = eventEmbedding(config, file.text, { counted: () => undefined, failed: onEmbeddingsFailed })
  const lineage = await Lineage.start({
    ...{ learner, config, modelPath, eventsPath: file.path, directory: join(directory, 'checkpoint') },
  })
  const steps = openSync(join(directory, 'steps.jsonl'), 'wx', 0o600)
  let quarantined = 0
  let trained = 0
  let first: StepLine | null = null
  let last: StepLine | null = null
  try {
    for await (const events of batches(fileEvents(file, tally), config)) {
      const begun = performance.now()
      const embedded = await embed(events)
      const step = lineage.record(embedded, learner.trainStep(embedded))
      if (step.newBlockLimit !== null) onBlockLimit?.(step.newBlockLimit)
      quarantined += step.quarantined.length
      if (step.applied === null) continue
      last = stepLine(step.applied, performance.now() - begun)
      first ??= last
      trained += last.events
      writeSync(steps, `${JSON.stringify(last)}\n`)
      onStep?.(last, trained, total)
    }
  } finally {
    closeSync(steps)
  }
  await lineage.end(tally.lastLine)
  writeAdapter(join(directory, 'adapter'), learner.adapter())
  return {
    events: tally.events,
    trained,
    steps: learner.step,
    skipped_invalid: tally.invalid,
    dropped: [...tally.dropped.values()].reduce((sum, count) => sum + count, 0),
    dropped_by_reason: Object.fromEntries(tally.dropped),
    held_out: tally.heldOut,
    shortened: tally.shortened,
    quarantined,
    loss_first: first?.loss ?? null,
    loss_last: last?.loss ?? null,
    delta: last?.delta ?? null,
    adapter_sha256: learner.adapterSha256(),
    seconds: (performance.now() - started) / 1000,
  }
}
