import type { TrainingEvent } from '../events/types.js'
import type { AppliedStep } from '../learner/step.js'
import type { Embedding } from '../ratio/classifier-model.js'
import { Projection } from '../ratio/projection.js'
import type { PromptClassifier } from '../ratio/prompt-classifier.js'
import type { JudgedVote, Predictor } from './judged-vote.js'
import { majorityLogit, OnlineLogistic } from './online-logistic.js'

/** Embeddings of prompts are kept in so many dimensions, for topics. */
const TOPIC_WIDTH = 64

/** What has a number of its own for each vote. */
type Fitted = Exclude<Predictor, 'majority'>

export interface ProgressiveOptions {
  readonly beta: number
  /** Judges prompts alone; it has learnt nothing yet. */
  readonly classifier: PromptClassifier
  /** Of the projection. */
  readonly seed: number
}

/** What was computed of a step's events before it was applied, and the step. */
export interface JudgedStep {
  readonly events: readonly TrainingEvent[]
  readonly embeddings: readonly (Embedding | null)[]
  /** δ before the step, without its own rewards. */
  readonly delta: number
  readonly applied: AppliedStep
}

/**
 * Progressive validation (Blum, Kalai and Langford, COLT 1999): every vote is predicted from those before it, and then
 * learnt from. All predictors learn with each step; none sees the labels of its step before.
 */
export class Progressive {
  readonly votes: JudgedVote[] = []
  /** Of each vote's prompt, for topics; null if it has none. */
  readonly points: (Float64Array | null)[] = []
  readonly #labels: { readonly label: boolean; readonly weight: number }[] = []
  readonly #fits: Readonly<Record<Fitted, OnlineLogistic>> = {
    ...{ model: new OnlineLogistic(), length: new OnlineLogistic(), prompt: new OnlineLogistic() },
  }
  readonly #users = new Map<string, number>()
  readonly #prompts = new Map<string, number>()
  #projection: Projection | null = null

  constructor(private readonly options: ProgressiveOptions) {}

  /** Judges a step's votes, and then learns from them. */
  add({ events, embeddings, delta, applied }: JudgedStep): void {
    const { beta, classifier } = this.options
    const rewards = new Map(applied.trained.map((index, i) => [index, beta * (applied.logRatios[i] as number)]))
    const logits = classifier.logits(embeddings)
    const majority = majorityLogit(this.#labels)
    const judged = events.flatMap((event, i) => {
      const reward = rewards.get(i)
      if (reward === undefined || event.weight === 0) return []
      const scores = {
        model: reward - delta,
        length: Math.log(event.completionTokens.length),
        prompt: logits[i] as number,
      }
      return [{ event, scores, i }]
    })
    for (const { event, scores, i } of judged) {
      this.votes.push(this.#judge(event, scores, majority))
      this.points.push(this.#point(embeddings[i] ?? null))
    }
    this.#learn(judged)
    classifier.update(
      embeddings,
      events.map(({ label }) => label),
      events.map(({ weight }) => weight),
    )
  }

  #judge(event: TrainingEvent, raw: Readonly<Record<Fitted, number>>, majority: number): JudgedVote {
    const { label, weight, position, completionTokens } = event
    const user = event.user === null ? null : numberOf(this.#users, event.user)
    const prompt = numberOf(this.#prompts, event.promptTokens.join())
    const logits = {
      ...{ majority, model: this.#fits.model.logit(raw.model) },
      ...{ length: this.#fits.length.logit(raw.length), prompt: this.#fits.prompt.logit(raw.prompt) },
    }
    const right = Object.fromEntries(
      Object.entries(logits).map(([name, logit]) => [name, logit === 0 ? 0.5 : Number(logit > 0 === label)]),
    ) as Record<Predictor, number>
    return {
      ...{ line: position.offset, label, weight, user, prompt, length: completionTokens.length, right },
      // users and prompts have numbers of their own
      cluster: user ?? -1 - prompt,
      scores: { majority: 0, model: raw.model, length: logits.length, prompt: raw.prompt },
    }
  }

  #learn(
    judged: readonly { readonly event: TrainingEvent; readonly scores: Readonly<Record<Fitted, number>> }[],
  ): void {
    for (const [name, fit] of Object.entries(this.#fits))
      fit.learn(judged.map(({ event: { label, weight }, scores }) => ({ x: scores[name as Fitted], label, weight })))
    this.#labels.push(...judged.map(({ event: { label, weight } }) => ({ label, weight })))
  }

  #point(embedding: Embedding | null): Float64Array | null {
    if (embedding === null || !embedding.every(Number.isFinite)) return null
    this.#projection ??= new Projection(embedding.length, TOPIC_WIDTH, this.options.seed)
    return this.#projection.withIntercept(embedding).subarray(0, this.#projection.width)
  }
}

function numberOf(numbers: Map<string, number>, key: string): number {
  const known = numbers.get(key) ?? numbers.size
  numbers.set(key, known)
  return known
}
