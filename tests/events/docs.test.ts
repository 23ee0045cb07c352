import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { record } from './records.js'

/** Every JSON value that stands in a code block of docs/events.md: on lines of its own, or echoed to kcat. */
function examples(): string[] {
  const page = readFileSync('docs/events.md', 'utf8')
  const json = [...page.matchAll(/```json\n([\s\S]*?)```/g)].flatMap(([, block]) =>
    block!.startsWith('{\n') ? [block!] : block!.trim().split('\n'),
  )
  const echoed = [...page.matchAll(/^echo '(.*)' \|/gm)].map(([, value]) => value!)
  return [...json, ...echoed]
}

describe('docs/events.md', () => {
  it('shows at least nine examples', () => {
    expect(examples().length).toBeGreaterThanOrEqual(9)
  })

  it.each(examples())('has an example that is accepted: %s', (json) => {
    const source = record(Buffer.from(json))
    const feedback = toFeedback(decodeEnvelope(source.value!, {}, 2 ** 20), source, { vocabSize: 1000 })
    expect([true, false, null]).toContain(feedback.label)
  })
})
