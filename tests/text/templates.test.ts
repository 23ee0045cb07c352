import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/events/json.js'
import { ChatTemplate } from '../../src/text/chat-template.js'

const GOLDEN = 'tests/golden/text'

interface Case {
  readonly template: string
  readonly messages: readonly JsonObject[]
  readonly tools: readonly JsonObject[] | null
  readonly kwargs: JsonObject
  readonly add_generation_prompt: boolean
  readonly continue_final_message: boolean
  /** Null where transformers raises. */
  readonly text: string | null
}
const golden: {
  readonly now: string
  readonly special: Readonly<Record<string, readonly [string, string]>>
  readonly cases: readonly Case[]
} = JSON.parse(readFileSync(`${GOLDEN}/templates.json`, 'utf8'))

const templates = new Map<string, Case[]>()
for (const row of golden.cases) templates.set(row.template, [...(templates.get(row.template) ?? []), row])

describe('chat templates, against transformers', () => {
  it.each([...templates])('renders %s the same', (name, cases) => {
    const [bos, eos] = golden.special[name] ?? ['', '<|im_end|>']
    const source = readFileSync(`${GOLDEN}/templates/${name}.jinja`, 'utf8')
    const template = new ChatTemplate(source, { bos_token: bos, eos_token: eos }, name)
    const render = (row: Case): string | null => {
      const conversation = { messages: row.messages, tools: row.tools, templateArguments: row.kwargs }
      try {
        return template.render(conversation, end(row), Date.parse(golden.now))
      } catch {
        return null
      }
    }
    expect(cases.map(render)).toEqual(cases.map(({ text }) => text))
  })
})

const end = (row: Case) =>
  row.continue_final_message ? 'continue' : row.add_generation_prompt ? 'generation-prompt' : 'none'
