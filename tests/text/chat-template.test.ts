import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ChatTemplate, readChatTemplate } from '../../src/text/chat-template.js'
import { errorLine } from '../events/records.js'

const NOW = Date.UTC(2026, 1, 3, 4, 5)
const HI = [{ role: 'user', content: 'Hi' }]
const render = (source: string, specialTokens = {}) =>
  new ChatTemplate(source, specialTokens, 'template').render(
    { messages: HI, tools: null, templateArguments: {} },
    'generation-prompt',
    NOW,
  )

describe('ChatTemplate', () => {
  it('gives the template messages, special tokens and the generation prompt', () => {
    const source =
      '{{ bos_token }}{{ messages[0].role }}:{{ messages[0].content }}{% if add_generation_prompt %}>{% endif %}'
    expect(render(source, { bos_token: '<s>' })).toBe('<s>user:Hi>')
  })

  it('has no tools and no documents', () => {
    expect(render('{% if tools is not none or documents %}yes{% else %}no{% endif %}')).toBe('no')
  })

  it('prints the date of the event in UTC', () => {
    expect(render('{{ strftime_now("%d %b %Y") }}')).toBe('03 Feb 2026')
  })

  it('counts as Python does', () => {
    expect(render('{% for i in range(3) %}{{ i }}{% endfor %}/{% for i in range(5, 0, -2) %}{{ i }}{% endfor %}')).toBe(
      '012/531',
    )
  })

  // right values: jinja2 3.1.6
  it.each([
    ["{{ 'user' ~ messages[0].name ~ '|' ~ none ~ nothing }}", 'user|None'],
    ['{{ none }}|{{ nothing }}|{% set x = none %}{{ x }}{# no #}', 'None||None'],
    ["{{ 'a' if false }}|{{ messages[0].get('name') }}", '|None'],
    ['{{ -7 % 3 }} {{ 7 % -3 }} {{ 7 % 3 }} {{ -7.5 % 2 }} {{ 6 % -3 }}', '2 -2 1 0.5 0'],
    ["{{ 'hELLO wORLD' | capitalize }} {{ 'hELLO'.capitalize() }}", 'Hello world Hello'],
    ["{{ '\u{1f600}' | length }}{{ 'é' | length }}{{ [1, 2] | length }}", '112'],
    ['{{ nothing | trim }}|{{ nothing | upper }}|{{ nothing | length }}|{{ nothing | string }}', '||0|'],
    ['{{ none | string }} {{ none | trim }} {{ none | upper }}', 'None None NONE'],
  ])('prints %s as Jinja does', (source, printed) => {
    expect(render(source)).toBe(printed)
  })

  it.each(["{{ 'a' + nothing }}", "{{ 'a' + none }}", '{{ none | length }}', '{{ 1 % 0 }}'])(
    'refuses %s as Jinja does',
    (source) => {
      expect(errorLine(() => render(source))).toMatch(/^CHAT_TEMPLATE_FAILED/)
    },
  )

  it('shows what the template says when it refuses the messages', () => {
    expect(errorLine(() => render('{{ raise_exception("roles must alternate") }}'))).toBe(
      'CHAT_TEMPLATE_FAILED: the template refused the messages: roles must alternate',
    )
  })

  it('shows nothing of the messages when it fails on them', () => {
    const failed = 'CHAT_TEMPLATE_FAILED: the template failed on the messages'
    expect(errorLine(() => render('{{ raise_exception("bad: " + messages[0].content) }}'))).toBe(failed)
    expect(errorLine(() => render('{{ messages[0].content.none() }}'))).toBe(failed)
  })

  it('refuses a source that is no template, at its place', () => {
    expect(errorLine(() => render('{% if %}'))).toBe('CHAT_TEMPLATE_FAILED template: the template cannot be parsed')
  })
})

describe('readChatTemplate', () => {
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'bcod-template-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  const source = (tokenizerConfig: Record<string, unknown> = {}) => readChatTemplate(dir, tokenizerConfig, {})?.source

  it('is null where there is none', () => {
    expect(source()).toBeUndefined()
  })

  it('prefers chat_template.jinja, then chat_template.json, then the tokenizer config', () => {
    expect(source({ chat_template: 'c' })).toBe('c')
    writeFileSync(join(dir, 'chat_template.json'), '{"chat_template": "b"}')
    expect(source({ chat_template: 'c' })).toBe('b')
    writeFileSync(join(dir, 'chat_template.jinja'), 'a')
    expect(source({ chat_template: 'c' })).toBe('a')
  })

  it('takes the default of several named ones, or the only one', () => {
    const tool = { name: 'tool_use', template: 't' }
    expect(source({ chat_template: [tool, { name: 'default', template: 'd' }] })).toBe('d')
    expect(source({ chat_template: [tool] })).toBe('t')
    expect(source({ chat_template: [tool, { name: 'rag', template: 'r' }] })).toBeUndefined()
  })
})
