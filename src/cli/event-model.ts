import { readArchitecture } from '../model/architecture.js'
import type { TextProcess } from '../text/text-process.js'
import type { ConfigWithModel } from './learner-config.js'
import { openText } from './open-text.js'

/** What reading a file of events or pairs needs to know of the model. */
export interface EventModel {
  /** Null if the model has no tokenizer. */
  readonly text: TextProcess | null
  readonly vocabSize: number
  /** Longest event, in tokens. */
  readonly maxLength: number
}

/** Reads the model's description and tokenizer, and no weights. The text process ends with the command. */
export async function eventModel(config: ConfigWithModel): Promise<EventModel> {
  const { model, limits } = config
  const { vocabSize, maxPositions } = readArchitecture(model.path)
  const text = await openText(model.path, config)
  return { text, vocabSize, maxLength: Math.min(limits.maxLength, maxPositions) }
}
