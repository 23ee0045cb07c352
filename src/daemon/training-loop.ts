import {
  asapScheduler,
  exhaustMap,
  fromEvent,
  interval,
  merge,
  type Observable,
  observeOn,
  Subject,
  Subscription,
} from 'rxjs'
import type { Snapshot } from '../checkpoint/snapshot.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { LearnerInfo } from '../learner/protocol.js'
import type { Assignment } from '../streams/source.js'
import { ArmUnmatched, ArmVoted } from '../telemetry/events/arms.js'
import { EventTimeCorrected, RetentionHeadroom } from '../telemetry/events/consumer.js'
import { FeedbackReceived, FrameSkipped, PromptShortened } from '../telemetry/events/feedback.js'
import type { TextService } from '../text/text-process.js'
import type { DaemonParts, Training } from './compose.js'
import { endsWithin } from './ends-within.js'
import type { DaemonLearner } from './options.js'
import { pipeline } from './stream/pipeline.js'
import { retentionHeadroom$ } from './stream/retention.js'

export interface TrainingLoopParts extends DaemonParts {
  readonly training: Training
  readonly text: TextService | null
  readonly learner: DaemonLearner
  readonly info: LearnerInfo
  /** The checkpoint that the process started from; null on a first start. */
  readonly start: Snapshot | null
}

/** Reads, trains and writes checkpoints. */
export class TrainingLoop {
  /** The learner asks for its next batch. */
  readonly #demand$ = new Subject<void>()
  readonly #work = new Subscription()

  constructor(private readonly parts: TrainingLoopParts) {}

  /**
   * Runs until the daemon is stopped, then finishes the step under way and writes a last checkpoint.
   *
   * @throws whatever ended reading, a step or a checkpoint; STOP_OVERDUE
   */
  async run(): Promise<void> {
    const { queue, lifecycle$, state } = this.parts
    this.#queueWork()
    this.#startTimers()
    lifecycle$.next('joining')
    state.deadLetters.start()
    const ended = this.#read()
    this.#demand$.next()
    try {
      await Promise.race([ended, queue.failed])
      await this.#drain()
    } catch (error) {
      queue.fail(error)
      throw error
    } finally {
      this.#work.unsubscribe()
    }
  }

  /** Whatever needs the learner or writes a checkpoint goes through the queue. */
  #queueWork(): void {
    const { config, queue, reader, scheduler, training } = this.parts
    const { checkpointer } = training
    this.#work.add(
      this.#batches().subscribe({
        next: (events) => void queue.enqueue(() => this.#train(events)),
        error: (error: unknown) => queue.fail(error),
      }),
    )
    this.#work.add(
      reader.assigned$.subscribe((partitions) => void queue.enqueue(() => checkpointer.assigned(partitions))),
    )
    const { every } = config.checkpoint
    if (every === 0) return
    // at most one timed checkpoint is queued, however long a step or a checkpoint takes
    const timed = () => queue.enqueue(() => this.#timedCheckpoint()).catch(() => undefined)
    this.#work.add(interval(every, scheduler).pipe(exhaustMap(timed)).subscribe())
  }

  async #train(events: readonly TrainingEvent[]): Promise<void> {
    const { state, reader, pause, training, stop } = this.parts
    const { trainer, checkpointer } = training
    // paused since the batch was taken
    if (pause.paused$.value) state.batcher.release()
    else await trainer.train(events)
    if (checkpointer.due) await this.#checkpoint()
    reader.updateBackpressure()
    if (!stop.signal.aborted) this.#demand$.next()
  }

  async #timedCheckpoint(): Promise<void> {
    const { reader, stop } = this.parts
    if (!stop.signal.aborted) await this.#checkpoint()
    reader.updateBackpressure()
  }

  /** Lost workers come back here: should the learner not survive it, nothing trains again. */
  async #checkpoint(): Promise<void> {
    const { training, lostWorkers, learner } = this.parts
    await training.checkpointer.checkpoint()
    await lostWorkers.takeBack(learner)
  }

  #startTimers(): void {
    const { log, telemetry, scheduler, intervals, reader, state, training } = this.parts
    this.#work.add(
      interval(intervals.tick, scheduler).subscribe(() => {
        reader.observe()
        // the disk may have room again; a dead-letter topic that is away reports nothing
        state.deadLetters.relieve()
        reader.updateBackpressure()
        if (reader.paused && this.#isStarved) this.parts.flush$.next()
      }),
    )
    const { watch, servers, canary, control, comeback } = training
    // at most one is queued, however often somebody looks
    const asked$ = new Subject<void>()
    const comeBack = () => this.parts.queue.enqueue(() => comeback.run()).catch(() => undefined)
    this.#work.add(asked$.pipe(exhaustMap(comeBack)).subscribe())
    const lookAtRegistry = async () => {
      await watch.look()
      if (comeback.isAsked) asked$.next()
      await Promise.all([servers?.lookIfMoved(), control.look().then(() => canary.look())])
    }
    this.#work.add(interval(intervals.registry, scheduler).subscribe(() => void lookAtRegistry()))
    if (servers !== null) {
      const { probeEvery } = this.parts.config.publish
      this.#work.add(
        interval(probeEvery, scheduler)
          .pipe(exhaustMap(() => servers.look()))
          .subscribe(),
      )
      this.#work.add(() => servers.close())
    }
    const { firstRetention: firstMs, retention: everyMs } = intervals
    const headroom$ = retentionHeadroom$(log, () => reader.pending(), { firstMs, everyMs, scheduler })
    this.#work.add(
      headroom$.subscribe(({ seconds, retentionSeconds }) =>
        telemetry.emit(new RetentionHeadroom(seconds, retentionSeconds)),
      ),
    )
  }

  /** Too little waits for a full batch, and its age does not send it out either. */
  get #isStarved(): boolean {
    const { config, state } = this.parts
    const { size, maxLatency } = config.batch
    return maxLatency === 0 && state.batcher.waiting < size
  }

  /** Resolves when the daemon is stopped or the log ends; rejects with the log's error. */
  #read(): Promise<void> {
    const { log, reader, start, stop } = this.parts
    const hooks = {
      positionsFor: (assignment: Assignment) => reader.assigned(assignment, start),
      revoked: () => reader.revoked(),
      grown: (total: number) => reader.grown(total),
    }
    return new Promise<void>((resolve, reject) => {
      if (stop.signal.aborted) resolve()
      this.#work.add(fromEvent(stop.signal, 'abort').subscribe(() => resolve()))
      this.#work.add(
        log.read(hooks).subscribe({ next: (batch) => reader.onBatch(batch), error: reject, complete: resolve }),
      )
    })
  }

  /** Runs what is queued, then a last checkpoint. No step is asked for any more. */
  async #drain(): Promise<void> {
    const { queue, reader, stop, lifecycle$, log, state, intervals, scheduler, training } = this.parts
    reader.close()
    stop.abort()
    lifecycle$.next('draining')
    log.pause()
    queue.enqueue(async () => {
      await state.deadLetters.settle(intervals.deadLetters)
      await training.checkpointer.checkpoint()
      // once more if that commit failed
      await training.committer.commit()
      const { publisher, canary } = training
      await canary.close()
      await endsWithin(publisher.settled(), intervals.gate, scheduler)
      publisher.stop()
      await publisher.settled()
    })
    const drained = Promise.race([queue.failed, queue.close()])
    if (await endsWithin(drained, intervals.drain, scheduler)) return
    throw new BcodError('STOP_OVERDUE', `not done after ${intervals.drain / 1000} s`)
  }

  #batches(): Observable<TrainingEvent[]> {
    const { config, state, outcomes, reader, telemetry, text, info, clock, scheduler, intervals } = this.parts
    return pipeline(reader.record$, {
      ...{ config, state, text, scheduler, vocabSize: info.vocabSize, maxLength: info.maxLength },
      demand$: this.#demand$.pipe(observeOn(asapScheduler)),
      flush$: this.parts.flush$,
      paused$: this.parts.pause.paused$,
      tick$: merge(reader.fetched$, interval(intervals.tick, scheduler)),
      now: () => clock.now(),
      received: ({ label, position }) =>
        telemetry.emit(new FeedbackReceived(label === null ? 'retract' : label ? 'up' : 'down', position)),
      timeCorrected: (reason) => telemetry.emit(new EventTimeCorrected(reason)),
      framed: () => telemetry.emit(new FrameSkipped()),
      shortened: () => telemetry.emit(new PromptShortened()),
      step: () => this.parts.training.trainer.step,
      reject: (record, error, stage) => outcomes.reject(record, error, stage),
      drop: (position, reason) => outcomes.drop(position, reason),
      tokenised: () => reader.updateBackpressure(),
      heldOut: (event) => outcomes.heldOut(event),
      countedByArm: ({ label }, counted) => {
        if ('unmatched' in counted) telemetry.emit(new ArmUnmatched(counted.unmatched))
        else if (counted.isNew) telemetry.emit(new ArmVoted(counted.arm, label === true))
      },
    })
  }
}
