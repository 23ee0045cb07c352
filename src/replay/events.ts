import { Subject } from 'rxjs'
import type { Config } from '../config/config.js'
import type { BcodError } from '../errors.js'
import { atLine, readJsonl } from '../events/jsonl.js'
import type { DropReason, Feedback, TrainingEvent } from '../events/types.js'
import type { TextModel } from '../model/text/text-model.js'
import { Admission, admit } from '../streams/admit.js'
import { DedupWindow, dedup } from '../streams/dedup.js'
import { HoldBack, holdBack } from '../streams/hold-back.js'
import { holdOut } from '../streams/hold-out.js'
import { allowSources } from '../streams/sources.js'
import { tokenise } from '../streams/tokenise.js'
import { VoteLedger } from '../streams/vote-ledger.js'

export interface EventFile {
  readonly path: string
  readonly config: Pick<Config, 'stream' | 'limits' | 'eval' | 'seed'>
  /** Null where the model has no tokenizer. */
  readonly text: TextModel | null
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
  readonly dropped: Map<DropReason, number>
}

export const emptyTally = (): EventTally => ({ events: 0, lastLine: 0, heldOut: 0, dropped: new Map() })

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
  feedback$
    .pipe(
      allowSources(limits.sources, drop),
      dedup(new DedupWindow(stream.dedupWindow), drop),
      holdBack(held, () => watermark, tick$),
      holdOut(config.eval.holdOut, seed, heldOut),
      admit(new Admission({ window: ADMISSION_WINDOW, userShare, userMinimum, promptRepeats }), drop),
      tokenise({ text, maxLength, vocabSize }, reject, drop),
    )
    .subscribe((event) => ready.push(event))

  function* released(): Generator<TrainingEvent> {
    tick$.next()
    if (failure !== null) throw placed(path, failure)
    yield* ready.splice(0)
  }
  for await (const feedback of readJsonl(path, { vocabSize })) {
    tally.events += 1
    tally.lastLine = feedback.position.offset
    watermark = Math.max(watermark, feedback.timestamp)
    feedback$.next(feedback)
    yield* released()
  }
  watermark = Number.POSITIVE_INFINITY
  yield* released()
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
