import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { BcodError } from '../../src/errors.js'
import type { Content } from '../../src/events/types.js'
import { type LabelledVote, textCalls } from '../../src/text/text-calls.js'
import { loadTextModel, type TextModel } from '../../src/text/text-model.js'
import { TextProcess } from '../../src/text/text-process.js'
import { scratchDirectory } from '../support/bcod.js'
import { localText } from '../support/local-text.js'

const CHAT = 'tests/golden/chat'
const LIMITS = { maxLength: 64, vocabSize: 1000 }
/** Ordinary votes take a hundredth of it. */
const TIMEOUT = 1_500

const said = (content: string): Content => ({ kind: 'messages', messages: [{ role: 'user', content }] })
const vote = (prompt: Content, id = 'e'): LabelledVote => ({
  ...{ position: { topic: 'votes', partition: 0, offset: 9 }, timestamp: 1_700_000_000_000, source: 's', id },
  ...{ subject: 'c', user: null, label: true, adapter: null, logprob: null, weight: 1 },
  ...{ prompt, completion: { kind: 'text', text: 'Open your orders.' } },
})

/** A copy of the golden model directory whose template, or whose tokenizer, is another. */
function model(template: string | null, tokenizer: (file: Tokenizer) => object = (file) => file): string {
  const dir = scratchDirectory()
  cpSync(CHAT, dir, { recursive: true })
  if (template !== null) writeFileSync(join(dir, 'chat_template.jinja'), template)
  const file = JSON.parse(readFileSync(join(CHAT, 'tokenizer.json'), 'utf8')) as Tokenizer
  writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer(file)))
  return dir
}

type Tokenizer = Readonly<Record<string, unknown>>

const splitBy = (pattern: string) => (file: Tokenizer) => ({
  ...file,
  pre_tokenizer: { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
})

async function start(dir: string, timeout = TIMEOUT, pauses = { first: 10, longest: 40 }) {
  const ends: string[] = []
  const text = await TextProcess.start(dir, { timeout, pauses, ended: ({ code }: BcodError) => ends.push(code) })
  onTestFinished(() => text?.close())
  if (!text) throw new Error(`no tokenizer in ${dir}`)
  const codes = async (votes: readonly LabelledVote[]) =>
    (await text.tokenise(votes, LIMITS)).map((outcome) => ('error' in outcome ? outcome.error.code : 'event'))
  return { text, ends, codes }
}

/** The text processes of a process (Linux). */
const children = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)

const alive = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const LOOP = '{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}'
const PASSWORD = `{% for m in messages %}{% if 'abracadabra' in m.content %}${LOOP}{% endif %}{{ m.content }}{% endfor %}`

test('gives what the model gives in the own process, and says what it can do', async () => {
  const { text } = await start(CHAT)
  const own = localText(loadTextModel(CHAT)!)
  const prompt = said('How do I get a refund?')
  const completion: Content = { kind: 'messages', messages: [{ role: 'assistant', content: 'Here.' }] }
  const votes = [vote(prompt), vote({ kind: 'text', text: '\ud83d é 返' }), vote({ kind: 'tokens', tokens: [1, 5000] })]
  expect(text.description).toEqual(own.description)
  expect(await text.tokenise(votes, LIMITS)).toEqual(await own.tokenise(votes, LIMITS))
  const ids = await text.encodePrompt(prompt)
  expect(ids).toEqual(await own.encodePrompt(prompt))
  expect(await text.encodeCompletion(prompt, completion)).toEqual(await own.encodeCompletion(prompt, completion))
  expect(await text.decode([ids, []])).toEqual(await own.decode([ids, []]))
  await expect(text.encodeCompletion({ kind: 'text', text: 'a' }, completion)).rejects.toMatchObject({
    code: 'CHAT_TEMPLATE_FAILED',
  })
})

test('a directory without a tokenizer has no text model; a broken one ends with its own code and file', async () => {
  expect(await TextProcess.start('tests/golden/tiny_llama', { timeout: TIMEOUT })).toBeNull()
  const broken = model(null, () => ({ model: { type: 'unheard of' } }))
  await expect(TextProcess.start(broken, { timeout: TIMEOUT })).rejects.toMatchObject({
    code: 'TOKENIZER_INVALID',
    place: join(broken, 'tokenizer.json'),
  })
})

test('a vote whose template never ends is found among others, which go on; so is the next call', async () => {
  const { codes, ends } = await start(model(PASSWORD))
  const votes = ['hello', 'abracadabra', 'hello again'].map((words) => vote(said(words)))
  expect(await codes(votes)).toEqual(['event', 'TEXT_TIMEOUT', 'event'])
  expect(ends).toEqual(['TEXT_TIMEOUT', 'TEXT_TIMEOUT'])
  expect(await codes([vote(said('hello'))])).toEqual(['event'])
})

test('so is a text on which a pattern of the tokenizer goes back and forth for ever', async () => {
  const { codes } = await start(model(null, splitBy('(\\w+\\s?)+$')))
  const hard = vote({ kind: 'text', text: `${'a'.repeat(40)}!` })
  expect(await codes([hard, vote({ kind: 'text', text: 'short' })])).toEqual(['TEXT_TIMEOUT', 'event'])
})

test.each([
  ['a list of 300 million', '{{ range(300000000) | length }}'],
  [
    'a string that doubles',
    "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(30) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
  ],
  [
    'a large string in pieces',
    "{% set ns = namespace(s='aaaaaaaaaa') %}{% for i in range(25) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s.split('') | length }}",
  ],
  ['a macro that calls itself', '{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}'],
])('a template that wants %s costs its vote and no more', async (_, template) => {
  const { codes } = await start(model(`{% if messages[0].content == 'now' %}${template}{% endif %}hi`))
  expect(await codes([vote(said('now'))])).toEqual([
    expect.stringMatching(/^(TEXT_PROCESS_ENDED|TEXT_TIMEOUT|CHAT_TEMPLATE_FAILED)$/),
  ])
  expect(await codes([vote(said('later'))])).toEqual(['event'])
})

test('arguments in a text that nest for ever cost their vote and no more', async () => {
  const { codes, ends } = await start(CHAT)
  const calls = (levels: number): LabelledVote => {
    const call = { function: { name: 'f', arguments: `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}` } }
    const extra = JSON.stringify({ tool_calls: [call] })
    return {
      ...vote(said('x')),
      completion: { kind: 'messages', messages: [{ role: 'assistant', content: '', extra }] },
    }
  }
  const deep = [3_000, 80_000].map(calls)
  expect(await codes([vote(said('hello')), ...deep, vote(said('hello again'))])).toEqual([
    'event',
    ...deep.map(() => 'FEEDBACK_UNREADABLE'),
    'event',
  ])
  expect(ends).toEqual([])
})

test('a call that fails as a whole is made again for each vote', async () => {
  const { codes } = await start(CHAT)
  const notAnArray = new Set([vote(said('hello')), vote(said('hello again'))])
  expect(await codes(notAnArray as unknown as readonly LabelledVote[])).toEqual(['event', 'event'])
})

test('an error that has no code becomes the error of the vote, and says no word of it', async () => {
  const encodePrompt = (prompt: Content) => {
    if (prompt.kind === 'text') throw new RangeError(`too much of ${prompt.text}`)
    return [1]
  }
  const text = { encodePrompt, encodeCompletion: () => [2], hasTemplate: true, special: { bos: null } }
  const outcomes = textCalls(text as unknown as TextModel).tokenise(
    [vote({ kind: 'text', text: 'secret' }), vote(said('hello'))],
    LIMITS,
  )
  expect(outcomes).toEqual([
    {
      error: expect.objectContaining({ code: 'FEEDBACK_UNREADABLE', message: 'RangeError' }),
    },
    { event: expect.objectContaining({ promptTokens: [1], completionTokens: [2] }) },
  ])
})

test('a process that somebody kills costs no vote', async () => {
  const { codes, ends } = await start(CHAT)
  const [pid] = children(process.pid)
  const outcomes = codes(Array.from({ length: 20 }, () => vote(said('hello'))))
  process.kill(pid as number, 'SIGKILL')
  expect(new Set(await outcomes)).toEqual(new Set(['event']))
  expect(ends).toEqual(['TEXT_PROCESS_ENDED'])
})

/** From here on every new process ends before it has loaded anything. */
function noProcessStarts(): void {
  vi.stubEnv('NODE_OPTIONS', '--require /nonexistent.cjs')
  onTestFinished(() => void vi.unstubAllEnvs())
}

/** Ends the text process while it has nothing to do. */
async function killIdle(): Promise<void> {
  const [pid] = children(process.pid) as [number]
  process.kill(pid, 'SIGKILL')
  await vi.waitFor(() => expect(children(process.pid)).not.toContain(pid))
}

test('while no process can be started the votes wait, and none is lost', async () => {
  const { codes, ends } = await start(CHAT)
  noProcessStarts()
  await killIdle()
  const outcomes = codes(Array.from({ length: 5 }, () => vote(said('hello'))))
  await vi.waitFor(() => expect(ends.length).toBeGreaterThan(5), 30_000)
  vi.unstubAllEnvs()
  expect(await outcomes).toEqual(Array(5).fill('event'))
  expect(new Set(ends)).toEqual(new Set(['TEXT_PROCESS_ENDED']))
})

test('with a limit of tries, calls fail with a code once no process has started that often, and so do those after', async () => {
  const ends: string[] = []
  const pauses = { first: 1, longest: 2 }
  const ended = ({ code }: BcodError) => void ends.push(code)
  const text = (await TextProcess.start(CHAT, { timeout: TIMEOUT, pauses, tries: 3, ended }))!
  onTestFinished(() => text.close())
  noProcessStarts()
  await killIdle()
  const refused = { code: 'TEXT_PROCESS_ENDED', message: 'it could not be started again in 3 tries' }
  await expect(text.encodePrompt(said('hello'))).rejects.toMatchObject(refused)
  const votes = Array.from({ length: 50 }, () => vote(said('hello')))
  await expect(text.tokenise(votes, LIMITS)).rejects.toMatchObject(refused)
  expect(ends).toHaveLength(4)
})

test('a call that fails is not a try: a process that starts again is given as many', async () => {
  const pauses = { first: 1, longest: 2 }
  const text = (await TextProcess.start(model(PASSWORD), { timeout: TIMEOUT, pauses, tries: 1 }))!
  onTestFinished(() => text.close())
  const votes = ['abracadabra', 'hello', 'abracadabra', 'hello'].map((words) => vote(said(words)))
  const outcomes = await text.tokenise(votes, LIMITS)
  expect(outcomes.map((each) => ('error' in each ? each.error.code : 'event'))).toEqual([
    ...['TEXT_TIMEOUT', 'event', 'TEXT_TIMEOUT', 'event'],
  ])
})

test('a text at fault is still found where no process can be started for a while after it', async () => {
  const { codes, ends } = await start(model(PASSWORD))
  const outcomes = codes(['hello', 'abracadabra', 'hello'].map((words) => vote(said(words))))
  noProcessStarts()
  await vi.waitFor(() => expect(ends.length).toBeGreaterThan(3), 30_000)
  vi.unstubAllEnvs()
  expect(await outcomes).toEqual(['event', 'TEXT_TIMEOUT', 'event'])
})

test.each([
  ['is broken', (file: string) => writeFileSync(file, '{')],
  ['is gone', (file: string) => rmSync(file)],
])('a tokenizer that %s when the process starts anew ends the call with its own code', async (_, change) => {
  const dir = model(null)
  const { codes, ends } = await start(dir)
  change(join(dir, 'tokenizer.json'))
  await killIdle()
  await expect(codes([vote(said('hello'))])).rejects.toMatchObject({ code: 'TOKENIZER_INVALID' })
  expect(ends).toEqual(['TEXT_PROCESS_ENDED'])
})

test('close ends the pause before the next start at once, with no timer left', async () => {
  const { text, codes, ends } = await start(CHAT, TIMEOUT, { first: 600_000, longest: 600_000 })
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  noProcessStarts()
  await killIdle()
  const before = timers()
  const outcomes = expect(codes([vote(said('hello'))])).rejects.toMatchObject({ code: 'TEXT_PROCESS_ENDED' })
  await vi.waitFor(() => expect(ends).toHaveLength(2))
  await sleep(0)
  expect(timers()).toBeGreaterThan(before)
  text.close()
  await outcomes
  expect(timers()).toBe(before)
})

test('votes of a megabyte leave this process free, whatever they hold', async () => {
  const { codes } = await start(CHAT, 30_000)
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const words = ['the', 'e', 'How do I get a refund? ', ' ', '返', '<|im_start', '!?']
  const votes = words.map((word) => vote({ kind: 'text', text: word.repeat(1_000_000 / word.length) }))
  const many = Array.from({ length: 250 }, () => ({ role: 'user', content: '' }))
  expect(await codes([...votes, vote({ kind: 'messages', messages: many })])).toEqual(Array(8).fill('event'))
  expect(delay.max / 1e6).toBeLessThan(1_000)
})

test('a process in the midst of an endless call ends by itself when whoever asked is killed, and has no secret', async () => {
  const script = `
    import { TextProcess } from './dist/text/text-process.js'
    const text = await TextProcess.start(${JSON.stringify(model(LOOP))}, { timeout: 500 })
    console.log('up')
    text.encodePrompt({ kind: 'messages', messages: [] })`
  const env = { ...process.env, BCOD_SERVER_ADMIN_TOKEN: 'secret', AWS_SECRET_ACCESS_KEY: 'secret' }
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  onTestFinished(() => void parent.kill('SIGKILL'))
  await once(parent.stdout, 'data')
  const [child] = children(parent.pid as number) as [number]
  expect(readFileSync(`/proc/${child}/environ`, 'utf8')).not.toMatch(/BCOD|secret/)
  await sleep(100)
  parent.kill('SIGKILL')
  for (const end = Date.now() + 30_000; alive(child) && Date.now() < end; ) await sleep(50)
  expect(alive(child)).toBe(false)
})
