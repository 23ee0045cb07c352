/** An event for each place, each as long as a block. */
export function blockEvents(step, places, block, vocabSize) {
  return Array.from({ length: places }, (_, i) => {
    const offset = step * places + i
    const tokens = Array.from({ length: block }, (_, k) => 3 + ((offset * 31 + k * 7) % (vocabSize - 3)))
    const half = block / 2
    return {
      position: { topic: 'feedback', partition: 0, offset },
      ...{ timestamp: 0, source: 'bench', id: String(offset), subject: null, user: null, weight: 1 },
      ...{ promptTokens: tokens.slice(0, half), completionTokens: tokens.slice(half), label: i % 2 === 0 },
    }
  })
}
