import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { Subject } from 'rxjs'
import { afterAll, describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import type { Content, Feedback } from '../../src/events/types.js'
import { MemoryAccount } from '../../src/streams/memory-ledger.js'
import { TextQueue } from '../../src/streams/text-queue.js'
import { tokenise } from '../../src/streams/tokenise.js'
import { loadTextModel, type TextModel } from '../../src/text/text-model.js'
import type { TextService } from '../../src/text/text-process.js'
import { localText } from '../support/local-text.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-tokenise-'))
afterAll(() => rmSync(dir, { recursive: true }))

const text = localText(loadTextModel('tests/golden/chat')!)
const tokens = (...ids: number[]): Content => ({ kind: 'tokens', tokens: ids })
const written = (words: string): Content => ({ kind: 'text', text: words })
const vote = (prompt: Content, completion: Content, label: boolean | null = true, id = 'e'): Feedback => ({
  position: { topic: 'votes', partition: 4, offset: 9 },
  timestamp: 1_700_000_000_000,
  source: 's',
  id,
  subject: 'c',
  user: null,
  label,
  prompt,
  completion,
  adapter: null,
  logprob: null,
  weight: 1,
})

/** Everything that comes out of the stage, in order: `id`, `id dropped`, `id CODE`. */
function stage(service: TextService | null, memory = new MemoryAccount(), queue = new TextQueue(memory)) {
  const vote$ = new Subject<Feedback>()
  const events: unknown[] = []
  const ends: string[] = []
  const letters: unknown[] = []
  let failure: unknown = null
  const subscription = vote$
    .pipe(
      tokenise(
        queue,
        { text: service, maxLength: 20, vocabSize: 1000 },
        (record, error, stage) => {
          letters.push({ record, line: error.line, stage })
          ends.push(`${JSON.parse(Buffer.from(record.value!).toString()).id} ${error.code}`)
        },
        ({ id }, reason) => ends.push(`${id} ${reason}`),
      ),
    )
    .subscribe({
      next: (event) => {
        events.push(event)
        ends.push(event.id)
      },
      error: (error: unknown) => {
        failure = error
      },
      complete: () => ends.push('done'),
    })
  const push = (...votes: Feedback[]) => {
    for (const each of votes) vote$.next(each)
  }
  return { vote$, push, queue, memory, events, ends, letters, subscription, failure: () => failure }
}

describe('tokenise', () => {
  it('emits token ids, drops what is too long or retracts, rejects what cannot be tokenised, and goes on', async () => {
    const { push, vote$, ends, events, letters, queue } = stage(text)
    push(
      vote(tokens(1, 5), tokens(6), true, 'i'),
      vote(tokens(1), tokens(...Array(20).fill(3)), true, 'l'),
      vote(tokens(), tokens(), null, 'r'),
      vote(tokens(1), tokens(5000), true, 'v'),
      vote(written('plain text prompt: '), written('Click the link.'), true, 'w'),
      vote(written('a'), written('word '.repeat(20)), true, 'm'),
      vote(tokens(1), tokens(7), false, 'j'),
    )
    vote$.complete()
    await queue.emptied()
    await sleep(0)
    const done = ['i', 'l completion_too_long', 'r retraction', 'v FEEDBACK_INVALID', 'w', 'm completion_too_long']
    expect(ends).toEqual([...done, 'j', 'done'])
    expect(events).toMatchObject([
      { promptTokens: [1, 5], completionTokens: [6], label: true },
      {
        promptTokens: [483, 346, 259, 606, 86, 595, 28, 223],
        completionTokens: [37, 610, 77, 274, 284, 262, 77, 16, 2],
      },
      { promptTokens: [1], completionTokens: [7], label: false },
    ])
    expect(letters).toMatchObject([
      {
        line: 'FEEDBACK_INVALID data.completion_tokens[0]: a token id is outside the vocabulary of 1000',
        stage: 'tokenise',
      },
    ])
  })

  it('goes on behind a vote on which template or tokenizer fails in a way that has no code', async () => {
    const overflowing = Object.assign(Object.create(loadTextModel('tests/golden/chat')!) as TextModel, {
      encodePrompt: () => {
        throw new RangeError('Maximum call stack size exceeded')
      },
    })
    const { push, queue, ends, letters, failure } = stage(localText(overflowing))
    push(vote(written('a'), written('b'), true, 'w'), vote(tokens(1), tokens(7), true, 'i'))
    await queue.emptied()
    await sleep(0)
    expect(ends).toEqual(['w FEEDBACK_UNREADABLE', 'i'])
    expect(letters).toMatchObject([{ line: 'FEEDBACK_UNREADABLE: RangeError', stage: 'tokenise' }])
    expect(failure()).toBeNull()
  })

  it('writes the dead letter of a held-back vote anew, at its own position', async () => {
    cpSync('tests/golden/chat', dir, { recursive: true })
    writeFileSync(join(dir, 'chat_template.jinja'), '{{ raise_exception("no system role") }}')
    const { push, queue, letters } = stage(localText(loadTextModel(dir)!))
    push(vote({ kind: 'messages', messages: [{ role: 'system', content: 'Hi' }] }, tokens(3)))
    await queue.emptied()
    const [letter] = letters as { record: { value: Uint8Array; key: Uint8Array }; line: string }[]
    expect(letter?.line).toBe('CHAT_TEMPLATE_FAILED: the template refused the messages: no system role')
    expect(letter?.record).toMatchObject({ topic: 'votes', partition: 4, offset: 9 })
    expect(Buffer.from(letter!.record.key).toString()).toBe('c')
    expect(JSON.parse(Buffer.from(letter!.record.value).toString())).toEqual({
      specversion: '1.0',
      type: 'bcod.feedback.v1',
      source: 's',
      id: 'e',
      subject: 'c',
      data: { prompt: [{ role: 'system', content: 'Hi' }], completion_tokens: [3], label: true },
    })
  })

  it('takes a vote of token ids on in the same call, where none with text waits', () => {
    const { push, ends } = stage(text)
    push(vote(tokens(1), tokens(2), true, 'a'))
    expect(ends).toEqual(['a'])
  })

  it('keeps the order whatever the mix and however long each takes, and holds every vote in one place meanwhile', async () => {
    const kinds = { token: 'token', text: 'text', retraction: 'retraction', long: 'long' } as const
    const step = fc.record({
      kind: fc.constantFrom(...Object.values(kinds)),
      pause: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.infiniteStream(fc.nat(3)), async (steps, delays) => {
        const slow: TextService = {
          ...text,
          tokenise: async (...args) => {
            for (let ticks = delays.next().value; ticks > 0; ticks--) await new Promise(setImmediate)
            return text.tokenise(...args)
          },
        }
        const votes = steps.map(({ kind }, i) =>
          kind === 'text' || kind === 'long'
            ? vote(written('a'), written(kind === 'long' ? 'word '.repeat(20) : 'b'), true, String(i))
            : vote(tokens(1), tokens(2), kind === 'retraction' ? null : true, String(i)),
        )
        const first = stage(slow)
        let restored: ReturnType<typeof stage> | null = null
        let before: string[] = []
        for (const [i, { pause }] of steps.entries()) {
          // half way, a checkpoint is taken and another process goes on from it
          if (i === steps.length >> 1) {
            const saved = structuredClone(first.queue.snapshot())
            before = [...first.ends]
            first.subscription.unsubscribe()
            const memory = new MemoryAccount()
            const queue = new TextQueue(memory)
            queue.restore(saved)
            expect(before.length + queue.count).toBe(i)
            restored = stage(slow, memory, queue)
          }
          const now = restored ?? first
          now.push(votes[i] as Feedback)
          if (pause) await new Promise(setImmediate)
        }
        const last = restored ?? first
        last.vote$.complete()
        while (last.ends.at(-1) !== 'done') await new Promise(setImmediate)
        const outcome = { token: '', text: '', retraction: ' retraction', long: ' completion_too_long' }
        expect([...before, ...last.ends]).toEqual([...steps.map(({ kind }, i) => `${i}${outcome[kind]}`), 'done'])
        expect(last.queue.count).toBe(0)
        expect(last.memory.bytes).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('makes a dead letter of a vote whose text takes too long, and fails where the text model cannot be had any more', async () => {
    const timeout = {
      code: 'TEXT_TIMEOUT',
      message: 'not done within 5 s',
      place: undefined,
      remedy: undefined,
    } as const
    const given = stage({ ...text, tokenise: async (votes) => votes.map(() => ({ error: timeout })) })
    given.push(vote(written('a'), written('b'), true, 'slow'), vote(tokens(1), tokens(2), true, 'next'))
    await given.queue.emptied()
    expect(given.ends).toEqual(['slow TEXT_TIMEOUT', 'next'])

    const gone = new BcodError('TOKENIZER_INVALID', 'cannot be read')
    const broken = stage({ ...text, tokenise: () => Promise.reject(gone) })
    broken.push(vote(written('a'), written('b'), true, 'kept'))
    await sleep(0)
    expect(broken.failure()).toBe(gone)
    expect(broken.queue.snapshot().votes).toMatchObject([{ id: 'kept' }])
  })

  it('without a tokenizer refuses a vote with text that a checkpoint brought back', async () => {
    const queue = new TextQueue()
    queue.restore({ votes: [vote(written('a'), written('b'))] })
    const { ends } = stage(null, undefined, queue)
    await queue.emptied()
    expect(ends).toEqual(['e TEXT_WITHOUT_TOKENIZER'])
  })
})

describe('TextQueue', () => {
  it('asks for few long votes at once and for many short ones, those without text between them beside', () => {
    const queue = new TextQueue()
    for (let i = 0; i < 100; i++) {
      queue.push(vote(written('a'), written('b')))
      queue.push(vote(tokens(1), tokens(2)))
    }
    expect(queue.first()).toHaveLength(64)
    const long = new TextQueue()
    for (let i = 0; i < 5; i++) long.push(vote(written('x'.repeat(1_000_000)), written('b')))
    expect(long.first()).toHaveLength(1)
  })

  it('takes out what shall not train after all', () => {
    const queue = new TextQueue()
    for (const id of ['a', 'b', 'c']) queue.push(vote(written('a'), written('b'), true, id))
    expect(queue.dropWhere(({ id }) => id === 'b').map(({ id }) => id)).toEqual(['b'])
    expect(queue.snapshot().votes.map(({ id }) => id)).toEqual(['a', 'c'])
  })
})
