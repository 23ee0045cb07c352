import type { Config } from './schema.js'

/** How the configuration wants the text of votes rendered and tokenised; what `loadTextModel` takes. */
export const textOptions = ({ model, limits }: Pick<Config, 'model' | 'limits'>) => ({
  specialTokens: limits.specialTokens,
  templateArguments: model.chatTemplateKwargs,
  templateName: model.chatTemplate,
})
