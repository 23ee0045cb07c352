import { Subject, tap } from 'rxjs'
import type { Config } from '../config/config.js'
import type { BcodError } from '../errors.js'
import { atLine, readJsonl } from '../events/jsonl.js'
import type { DropReason, Feedback, TrainingEvent } from '../events/types.js'
import { Admission, admit } from '../streams/admit.js'
import { DedupWindow, dedup } from '../streams/dedup.js'
import { HoldBack, holdBack } from '../streams/hold-back.js'
import { holdOut } from '../streams/hold-out.js'
import { allowSources } from '../streams/sources.js'
import { TextQueue } from '../streams/text-queue.js'
import { tokenise } from '../streams/tokenise.js'
import { VoteLedger } from '../streams/vote-ledger.js'
import type { TextService } from '../text/text-process.js'

export interface EventFile {
  readonly path: string
  readonly config: Pick<Config, 'stream' | 'limits' | 'eval' | 'seed'>
  /** Null where the model has no tokenizer. */
  readonly text: Pick<TextService, 'description' | 'tokenise' | 'decode'> | null
  readonly vocabSize: number
  /** Longest event of the learner, in tokens. */
  readonly maxLength: number
}

/** What became of a file's rows. */
export interface EventTally {
  /** Rows read, and the line of the last one. */
  events: number
  lastLine: number
  heldOut: number
  /** Events that train with a prompt that was cut to length. */
  shortened: number
  readonly dropped: Map<DropReason, number>
}

export const emptyTally = (): EventTally => ({ events: 0, lastLine: 0, heldOut: 0, shortened: 0, dropped: new Map() })

/** Rows that are read ahead of those that are being tokenised. */
const READ_AHEAD = 256

/** Events that caps look back on. */
const ADMISSION_WINDOW = 10_000

/**
 * The events of a file that train, in file order, through the same stages as in the daemon. With
 * `stream.holdBack`, the latest `time` read is the watermark, and the end of the file lets go of what is held.
 *
 * @param tally  is counted up
 * @throws the coded error of the first row that cannot be used, with its `file:line`
 */
export async function* trainingEvents(file: EventFile, tally = emptyTally()): AsyncGenerator<TrainingEvent> {
  const { path, config, text, vocabSize, maxLength } = file
  const { stream, limits, seed } = config
  const { userShare, userMinimum, promptRepeats } = limits
  const drop = (_: Feedback, reason: DropReason) => tally.dropped.set(reason, (tally.dropped.get(reason) ?? 0) + 1)
  const heldOut = () => {
    tally.heldOut += 1
  }
  let failure: { readonly line: number; readonly error: BcodError } | null = null
  const ready: TrainingEvent[] = []
  let watermark = Number.NEGATIVE_INFINITY
  const held = new HoldBack({
    window: stream.holdBack,
    maxBytes: stream.pendingBytes,
    ledger: new VoteLedger(stream.ledger),
    drop,
  })
  const feedback$ = new Subject<Feedback>()
  const tick$ = new Subject<void>()
  const reject = ({ offset }: { readonly offset: number }, error: BcodError) => {
    failure ??= { line: offset, error }
  }
  const queue = new TextQueue()
  const event$ = feedback$.pipe(
    allowSources(limits.sources, drop),
    dedup(new DedupWindow(stream.dedupWindow), drop),
    holdBack(held, () => watermark, tick$),
    holdOut(config.eval.holdOut, seed, heldOut),
    admit(new Admission({ window: ADMISSION_WINDOW, userShare, userMinimum, promptRepeats }), drop),
    tokenise(queue, { text, maxLength, vocabSize }, reject, drop),
    tap(({ shortened }) => {
      if (shortened) tally.shortened += 1
    }),
  )
  const broken = new Promise<never>((_, error) => event$.subscribe({ next: (event) => ready.push(event), error }))
  broken.catch(() => undefined)

  /** What is ready, once no more than so many votes are being tokenised. */
  async function* released(behind: number): AsyncGenerator<TrainingEvent> {
    tick$.next()
    if (queue.count > behind) await Promise.race([queue.emptied(), broken])
    if (failure !== null) throw placed(path, failure)
    yield* ready.splice(0)
  }
  const rows = readJsonl(path, { vocabSize })
  for (;;) {
    const row = await rows.next().catch((error: unknown) => ({ error }))
    // a row before the bad one may be bad too, and comes first
    if ('error' in row) {
      yield* released(0)
      throw row.error
    }
    if (row.done) break
    const feedback = row.value
    tally.events += 1
    tally.lastLine = feedback.position.offset
    watermark = Math.max(watermark, feedback.timestamp)
    feedback$.next(feedback)
    yield* released(READ_AHEAD)
  }
  watermark = Number.POSITIVE_INFINITY
  yield* released(0)
}

/** The error of a row, with its `file:line` before the place within the row. */
function placed(path: string, { line, error }: { readonly line: number; readonly error: BcodError }): unknown {
  try {
    return atLine(path, { number: line, bytes: new Uint8Array() }, () => {
      throw error
    })
  } catch (withLine) {
    return withLine
  }
}
