import { readArchitecture } from '../model/architecture.js'
import { loadTextModel, type TextModel } from '../model/text/text-model.js'
import type { ConfigWithModel } from './learner-config.js'

/** What reading a file of events or pairs needs to know of the model. */
export interface EventModel {
  /** Null where the model has no tokenizer. */
  readonly text: TextModel | null
  readonly vocabSize: number
  /** Longest event, in tokens. */
  readonly maxLength: number
}

/** Reads the model's description and tokenizer, and no weights. */
export function eventModel({ model, limits }: ConfigWithModel): EventModel {
  const { vocabSize, maxPositions } = readArchitecture(model.path)
  return { text: loadTextModel(model.path), vocabSize, maxLength: Math.min(limits.maxLength, maxPositions) }
}
