import { type Completion, newCompletionId } from '../../src/gateway/completion.js'

/** An answer as a gateway records it. */
export const completion = (over: Partial<Completion> = {}): Completion => ({
  id: newCompletionId(over.time ?? new Date()),
  time: new Date(),
  ...{ model: 'shop', adapter: 'v00000012', arm: 'live', user: 'a1b2' },
  ...{ prompt: [{ role: 'user', content: 'Where is my order?' }], completion: 'On its way.' },
  ...{ tools: null, templateArguments: null, promptTokens: null, completionTokens: null },
  ...{ finishReason: 'stop', usage: { total_tokens: 12 }, votable: true, reason: null },
  ...over,
})
