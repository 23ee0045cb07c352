import { describeText, textCalls } from '../../src/text/text-calls.js'
import type { TextModel } from '../../src/text/text-model.js'
import type { TextService } from '../../src/text/text-process.js'

/** A text model in this process, asked as if it ran in one of its own. */
export function localText(model: TextModel): TextService {
  const calls = textCalls(model)
  return {
    description: describeText(model),
    tokenise: async (...args) => calls.tokenise(...args),
    encodePrompt: async (...args) => calls.encodePrompt(...args),
    encodeCompletion: async (...args) => calls.encodeCompletion(...args),
    decode: async (...args) => calls.decode(...args),
    close: () => undefined,
  }
}
