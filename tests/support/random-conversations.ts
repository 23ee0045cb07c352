import fc from 'fast-check'
import type { TokenPair } from '../../src/learner/token-trees.js'

/**
 * Events that begin alike in every way that votes do: a system prompt before all of them, several answers to a prompt, the
 * turns of a conversation, the same answer twice.
 */
export const conversations = (most: number): fc.Arbitrary<readonly TokenPair[]> => {
  const text = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: most })
  return fc
    .tuple(text, fc.array(fc.tuple(fc.nat(), fc.nat(), text, text), { minLength: 1, maxLength: 12 }))
    .map(([system, turns]) => {
      const events: TokenPair[] = []
      for (const [way, of, question, answer] of turns) {
        const before = events[of % Math.max(1, events.length)]
        if (before === undefined || way % 4 === 0)
          events.push({ promptTokens: [...system, ...question], completionTokens: answer })
        else if (way % 4 === 1) events.push({ promptTokens: before.promptTokens, completionTokens: answer })
        else if (way % 4 === 2) events.push(before)
        else {
          const promptTokens = [...before.promptTokens, ...before.completionTokens, ...question]
          events.push({ promptTokens: promptTokens.slice(0, 4 * most), completionTokens: answer })
        }
      }
      return events
    })
}
