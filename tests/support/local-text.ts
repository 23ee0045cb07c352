import { describeText, textCalls } from '../../src/text/text-calls.js'
import type { TextModel } from '../../src/text/text-model.js'
import type { TextService } from '../../src/text/text-process.js'

/** A text model in this process, asked as if it ran in one of its own: it gets copies, and no functions. */
export function localText(model: TextModel): TextService {
  const calls = textCalls(model)
  return {
    description: describeText(model),
    tokenise: async (...args) => calls.tokenise(...structuredClone(args)),
    encodePrompt: async (...args) => calls.encodePrompt(...structuredClone(args)),
    encodeCompletion: async (...args) => calls.encodeCompletion(...structuredClone(args)),
    decode: async (...args) => calls.decode(...structuredClone(args)),
    close: () => undefined,
  }
}
