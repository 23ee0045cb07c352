import { Subject } from 'rxjs'
import type { Config } from '../config/config.js'
import type { BcodError } from '../errors.js'
import type { InvalidRow } from '../events/invalid-rows.js'
import { errorAtLine, type OnInvalid, readJsonl } from '../events/jsonl.js'
import type { DropReason, Feedback, TrainingEvent } from '../events/types.js'
import { trainingEvents } from '../streams/training-events.js'
import { VoteState } from '../streams/vote-state.js'
import { Watermark } from '../streams/watermark.js'
import type { TextService } from '../text/text-process.js'

export interface EventFile {
  readonly path: string
  readonly config: Pick<Config, 'stream' | 'limits' | 'eval' | 'seed'>
  /** Null if the model has no tokenizer. */
  readonly text: Pick<TextService, 'description' | 'tokenise' | 'decode'> | null
  readonly vocabSize: number
  /** Longest event of the learner, in tokens. */
  readonly maxLength: number
  /** Called with each row that cannot be used, which is then passed over. @default the first one ends the file */
  readonly onInvalid?: OnInvalid
}

/** What became of a file's rows. */
export interface EventTally {
  /** Rows read, and the line of the last one. */
  events: number
  lastLine: number
  /** Rows that cannot be used. */
  invalid: number
  heldOut: number
  /** Events that train with a prompt that was cut to length. */
  shortened: number
  readonly dropped: Map<DropReason, number>
}

export const emptyTally = (): EventTally => ({
  ...{ events: 0, lastLine: 0, invalid: 0, heldOut: 0, shortened: 0 },
  dropped: new Map(),
})

/** What reading a file to its end finds. */
export interface Survey {
  /** How many of its rows train. */
  readonly total: number
  /** The rows that cannot be used. */
  readonly invalid: readonly InvalidRow[]
}

/** Reads a file as it will be read for training, before anything is computed. @throws FILE_UNREADABLE, FILE_FOREIGN */
export async function survey(file: Omit<EventFile, 'onInvalid'>): Promise<Survey> {
  const invalid: InvalidRow[] = []
  let total = 0
  const onInvalid: OnInvalid = (line, error) => void invalid.push({ line, error })
  for await (const _ of fileEvents({ ...file, onInvalid })) total += 1
  return { total, invalid }
}

/** Rows that are read ahead of those that are being tokenised. */
const READ_AHEAD = 256

/**
 * The events of a file that train, in file order, through the daemon's own stages. With `stream.holdBack`, the `time` of
 * the rows is the clock (`FileClock`), and the end of the file releases what is held. `limits.adapterAge` does not
 * apply: which step a row would have met is not known.
 *
 * @param tally  is counted up
 * @throws the coded error of the first row that cannot be used, with its `file:line`, unless `file.onInvalid` takes it
 */
export async function* fileEvents(file: EventFile, tally = emptyTally()): AsyncGenerator<TrainingEvent> {
  const { path, config, text, vocabSize, maxLength, onInvalid } = file
  const drop = (_: Feedback, reason: DropReason) => tally.dropped.set(reason, (tally.dropped.get(reason) ?? 0) + 1)
  let failure: { readonly line: number; readonly error: BcodError } | null = null
  const ready: TrainingEvent[] = []
  const clock = new FileClock()
  const state = new VoteState({ ...config, limits: { ...config.limits, adapterAge: 0 } }, drop)
  const vote$ = new Subject<Feedback>()
  const tick$ = new Subject<void>()
  const event$ = trainingEvents(vote$, {
    ...{ config, state, text, maxLength, vocabSize, tick$, drop },
    watermark: () => clock.watermark,
    reject: ({ offset }, error) => {
      tally.invalid += 1
      if (onInvalid) onInvalid(offset, error)
      else failure ??= { line: offset, error }
    },
    heldOut: () => {
      tally.heldOut += 1
    },
    shortened: () => {
      tally.shortened += 1
    },
  })
  const broken = new Promise<never>((_, error) => event$.subscribe({ next: (event) => ready.push(event), error }))
  broken.catch(() => undefined)

  /** What is ready, once no more than `behind` votes are being tokenised. */
  async function* released(behind: number): AsyncGenerator<TrainingEvent> {
    tick$.next()
    if (state.texts.count > behind) await Promise.race([state.texts.emptied(), broken])
    if (failure !== null) throw errorAtLine(path, failure.line, failure.error)
    yield* ready.splice(0)
  }
  const unreadable: OnInvalid = (line, error) => {
    tally.events += 1
    tally.invalid += 1
    tally.lastLine = line
    onInvalid?.(line, error)
  }
  const rows = readJsonl(path, { vocabSize, ...(onInvalid && { onInvalid: unreadable }) })
  for (;;) {
    const row = await rows.next().catch((error: unknown) => ({ error }))
    // a row before the bad one may be bad too, and comes first
    if ('error' in row) {
      yield* released(0)
      throw row.error
    }
    if (row.done) break
    tally.events += 1
    tally.lastLine = row.value.position.offset
    vote$.next(clock.read(row.value))
    yield* released(READ_AHEAD)
  }
  clock.end()
  yield* released(0)
}

/** The partition that stands for the file. */
const FILE = 0

/**
 * Hold-back's clock over a file. A file does not tell when it was read where it ended, as a log does, so its rows' times
 * count as the log's own: the daemon's rule for `LogAppendTime`. A row counts as written no earlier than any row before
 * it, and a row without a time at the time of those; the latest time is the watermark.
 */
class FileClock {
  readonly #watermark = new Watermark()
  #ended = false

  constructor() {
    this.#watermark.assign([FILE])
  }

  get watermark(): number {
    return this.#ended ? Number.POSITIVE_INFINITY : this.#watermark.at(Number.POSITIVE_INFINITY)
  }

  /** The vote with the time that it counts as written at. */
  read(vote: Feedback): Feedback {
    const { offset } = vote.position
    const time = Math.max(0, vote.timestamp)
    const timestamp = this.#watermark.timeOf(FILE, offset, time, Number.POSITIVE_INFINITY)
    this.#watermark.observe(FILE, timestamp, true)
    return { ...vote, timestamp }
  }

  /** The file has been read to its end: no vote can change any more. */
  end(): void {
    this.#ended = true
  }
}
