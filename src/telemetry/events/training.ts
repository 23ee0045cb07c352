import type { BcodError } from '../../errors.js'
import type { EmbeddingOutcome, Position } from '../../events/types.js'
import type { History } from '../history.js'
import { observeAll } from '../metrics/metric-set.js'
import type { Metrics } from '../metrics.js'
import type { ClassifierReport, StepReport } from '../step-report.js'
import type { TapLine } from '../tap-line.js'
import { InternalEvent, type LogLine } from '../telemetry.js'
import { place } from './feedback.js'

/** Training was paused or resumed, by a person, by a guard, or because the registry of adapters was frozen. */
export class TrainingPaused extends InternalEvent {
  constructor(
    readonly paused: boolean,
    readonly reason: 'person' | 'registry' | 'guard',
  ) {
    super()
  }
  log(): LogLine {
    const { paused, reason } = this
    return { level: 'info', msg: paused ? 'training paused' : 'training resumed', paused, reason }
  }
  override count(metrics: Metrics): void {
    metrics.training.trainingPaused.set(this.paused ? 1 : 0)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'training', paused: this.paused }]
  }
}

/** The adapter learnt from one batch. */
export class StepApplied extends InternalEvent {
  /** @param trained  positions of its events in the log */
  constructor(
    readonly report: StepReport,
    readonly trained: readonly Position[] = [],
  ) {
    super()
  }
  log(): LogLine {
    const { step, events, up, down, tokens, loss, delta, gradNorm, lr, durationMs } = this.report
    return { level: 'info', msg: 'step', step, events, up, down, tokens, loss, delta, gradNorm, lr, ms: durationMs }
  }
  override count(metrics: Metrics): void {
    const { report } = this
    metrics.training.trainSteps.inc()
    metrics.training.trainTokens.inc(report.tokens)
    metrics.training.stepDuration.observe(report.durationMs / 1000)
    observeAll(metrics.training.feedbackToStep, report.feedbackToStepSeconds)
    metrics.training.trainLoss.set(report.loss)
    metrics.training.gradNorm.set(report.gradNorm)
    metrics.training.learningRate.set(report.lr)
    metrics.training.delta.set(report.delta)
    observeAll(metrics.training.implicitReward, report.rewardsUp, { label: 'up' })
    observeAll(metrics.training.implicitReward, report.rewardsDown, { label: 'down' })
    if (report.rewardUpMean !== null && report.rewardDownMean !== null) {
      metrics.training.rewardMargin.set(report.rewardUpMean - report.rewardDownMean)
    }
    observeAll(metrics.training.logRatio, report.logRatios)
    observeAll(metrics.classifier.densityRatioWeight, report.densityRatiosDown)
    metrics.classifier.densityRatioClamped.inc({ bound: 'low' }, report.clampedLow)
    metrics.classifier.densityRatioClamped.inc({ bound: 'high' }, report.clampedHigh)
    if (report.klPerToken !== null) metrics.training.klPerToken.set(report.klPerToken)
    if (report.essRatio !== null) metrics.classifier.effectiveSampleSize.set(report.essRatio)
    countClassifier(metrics, report.classifier)
    if (report.prequentialAccuracy !== null) metrics.training.prequentialAccuracy.set(report.prequentialAccuracy)
  }
  override remember(history: History): void {
    history.step(this.report)
  }
  override tap(): readonly TapLine[] {
    const { step, events, up, down, loss, delta } = this.report
    const trained = this.trained.map((position): TapLine => ({ kind: 'trained', step, ...place(position) }))
    return [...trained, { kind: 'step', step, events, up, down, loss, delta }]
  }
}

function countClassifier(metrics: Metrics, classifier: ClassifierReport): void {
  const { ready, trust, refused, logLoss, auc, calibrationError, rawDensityRatioMean } = classifier
  metrics.classifier.classifierReady.set(ready ? 1 : 0)
  metrics.classifier.classifierTrust.set(trust)
  metrics.classifier.classifierRefused.set(refused)
  if (logLoss !== null) metrics.classifier.classifierLogLoss.set(logLoss)
  if (auc !== null) metrics.classifier.classifierAuc.set(auc)
  if (calibrationError !== null) metrics.classifier.classifierCalibration.set(calibrationError)
  if (rawDensityRatioMean !== null) metrics.classifier.classifierRawWeight.set(rawDensityRatioMean)
}

/** The prompt classifier of the checkpoint learnt from other embeddings. */
export class ClassifierReset extends InternalEvent {
  log(): LogLine {
    const remedy = 'nothing to do where ratio.embedder was changed on purpose; w = 1 until it has learnt again'
    return { level: 'warn', msg: 'the prompt classifier starts over: it learnt from other embeddings', remedy }
  }
}

/** Prompts were embedded by the endpoint. */
export class PromptsEmbedded extends InternalEvent {
  constructor(
    readonly outcome: EmbeddingOutcome,
    readonly prompts: number,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.classifier.embeddedPrompts.inc({ outcome: this.outcome }, this.prompts)
  }
}

/** An event is not finite or finds no memory; it becomes a dead letter and the rest of its step trains. */
export class EventQuarantined extends InternalEvent {
  constructor(
    readonly position: Position,
    readonly code: string,
  ) {
    super()
  }
  log(): LogLine {
    return { level: 'warn', msg: 'event quarantined', code: this.code, ...place(this.position) }
  }
  override count(metrics: Metrics): void {
    metrics.training.quarantinedEvents.inc()
  }
}

/** The reference looked up, or computed, what the events of a step have in common. */
export class BeginningsComputed extends InternalEvent {
  constructor(readonly counts: { readonly known: number; readonly computed: number; readonly bytes: number }) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    const { known, computed, bytes } = this.counts
    metrics.training.referenceBeginnings.inc({ outcome: 'known' }, known)
    metrics.training.referenceBeginnings.inc({ outcome: 'computed' }, computed)
    metrics.training.referenceCache.set(bytes)
  }
}

/** The device had no memory for a block; smaller ones are used from now on. */
export class BlocksLimited extends InternalEvent {
  /** @param positions  of the largest block that is left */
  constructor(readonly positions: number) {
    super()
  }
  log(): LogLine {
    const remedy = 'lower batch.tokens to keep it so, or raise the memory'
    return { level: 'warn', msg: 'out of memory: smaller micro-batches', positions: this.positions, remedy }
  }
  override count(metrics: Metrics): void {
    metrics.training.blockLimit.set(this.positions)
  }
}

/** A step met a number that is not finite and changed nothing. */
export class NonFiniteStep extends InternalEvent {
  constructor(readonly step: number) {
    super()
  }
  log(): LogLine {
    return { level: 'error', msg: 'step met a number that is not finite', step: this.step }
  }
  override count(metrics: Metrics): void {
    metrics.training.nonfiniteSteps.inc()
  }
}

/** A program was compiled. */
export class ProgramCompiled extends InternalEvent {
  constructor(
    readonly program: string,
    readonly ms: number,
  ) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'program compiled', program: this.program, ms: this.ms }
  }
  override count(metrics: Metrics): void {
    metrics.training.compileDuration.observe(this.ms / 1000)
  }
}

/** Where the learner computes. */
export class PlacesChosen extends InternalEvent {
  constructor(readonly places: readonly { readonly used: boolean }[]) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.training.placeUsed.reset()
    for (const [place, { used }] of this.places.entries())
      metrics.training.placeUsed.set({ place: String(place) }, used ? 1 : 0)
  }
}

/** A place is left out; the others do its work. */
export class PlaceDropped extends InternalEvent {
  /**
   * @param place   its number, from 0
   * @param device  as `devices` names it
   */
  constructor(
    readonly place: number,
    readonly device: string,
    readonly reason: BcodError,
  ) {
    super()
  }
  log(): LogLine {
    const { device, reason } = this
    const { code, message, remedy } = reason
    return {
      level: 'warn',
      msg: 'a place is left out; steps go on with the others',
      device,
      code,
      reason: message,
      remedy,
    }
  }
  override count(metrics: Metrics): void {
    const place = String(this.place)
    metrics.training.placeUsed.set({ place }, 0)
    metrics.training.placeDropped.inc({ place, code: this.reason.code })
  }
}

/** Another worker serves where one is left out. */
export class WorkerNotTakenBack extends InternalEvent {
  /** @param worker  `host:port` */
  constructor(
    readonly worker: string,
    readonly reason: BcodError,
  ) {
    super()
  }
  log(): LogLine {
    const { worker, reason } = this
    const { code, message, remedy } = reason
    const msg = 'a worker that was left out answers, and cannot be taken back'
    return { level: 'warn', msg, worker, code, reason: message, remedy }
  }
}

/** Workers that were lost answer again, and compute from the next step on. */
export class WorkersTakenBack extends InternalEvent {
  /** @param workers  `host:port` of each */
  constructor(readonly workers: readonly string[]) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'workers are taken back', workers: this.workers }
  }
}

/** What the engine uses of its devices; no memory if they do not report it. */
export class DeviceObserved extends InternalEvent {
  constructor(
    readonly tensors: number,
    readonly memoryBytes: number | null,
    readonly places: readonly {
      readonly busySeconds: number
      readonly waitSeconds: number
      readonly linkBytes: number
    }[],
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.training.tensors.set(this.tensors)
    if (this.memoryBytes !== null) metrics.training.deviceMemory.set(this.memoryBytes)
    metrics.training.placeBusy.reset()
    metrics.training.placeWait.reset()
    metrics.training.placeBytes.reset()
    for (const [place, { busySeconds, waitSeconds, linkBytes }] of this.places.entries()) {
      metrics.training.placeBusy.inc({ place: String(place) }, busySeconds)
      metrics.training.placeWait.inc({ place: String(place) }, waitSeconds)
      metrics.training.placeBytes.inc({ place: String(place) }, linkBytes)
    }
  }
}
