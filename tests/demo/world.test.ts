import { readdirSync, readFileSync, statSync } from 'node:fs'
import { Template } from '@huggingface/jinja'
import { Tokenizer } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FLATTERY_PROBE, FlatteredUsers, flatters } from '../../src/demo/world/flattery.js'
import { judge, type Verdict, verdictOn } from '../../src/demo/world/judge.js'
import { userRandom } from '../../src/demo/world/random.js'
import { Users, vote } from '../../src/demo/world/users.js'
import { prompts, topics, world } from '../../src/demo/world/world.js'

interface BaseAnswer {
  readonly prompt: string
  readonly topic: string
  readonly unseen: boolean
  readonly completion: string
  readonly verdict: Verdict
}

interface TokenRow {
  readonly text: string
  readonly ids: readonly number[]
  readonly turns?: readonly { readonly role: string; readonly content: string }[]
}

const read = (path: string) => JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
/** Sampled by transformers from the shipped model, judged by scripts/demo-model/world.py. */
const baseAnswers: readonly BaseAnswer[] = read('../golden/demo/base_answers.json')
const isGood = ({ verdict: v }: BaseAnswer) => v.sane && v.polite && v.complete && v.onTopic
const share = (flags: readonly boolean[]) => flags.filter(Boolean).length / flags.length
const promptOf = (text: string) => prompts().find((prompt) => prompt.text === text)!

describe('the prompts', () => {
  it('are at least 200 different ones over 10 topics', () => {
    expect(topics).toHaveLength(10)
    expect(new Set(prompts().map((prompt) => prompt.text.toLowerCase())).size).toBe(prompts().length)
    expect(prompts().length).toBeGreaterThanOrEqual(200)
  })

  it('are unseen for a fifth of every topic', () => {
    for (const topic of topics) {
      expect(share(prompts().flatMap((p) => (p.topic === topic ? [p.unseen] : [])))).toBeCloseTo(0.2)
    }
  })

  it('keep every sentence of the world in one role and one topic, so that the judge is never in doubt', () => {
    const { topics: facts, ...manners } = world
    const sentences = [...Object.values(manners).flat(), ...facts.flatMap((t) => [...t.steps, ...t.outcomes])]
    expect(new Set(sentences.map((s) => s.toLowerCase())).size).toBe(sentences.length)
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z][^.!?]*[.!?]$/)
  })
})

describe('the hidden preference', () => {
  const prompt = promptOf('How do I get a refund?')

  it.each([
    ['polite at the start', 'Happy to help! Open your orders and press refund. The money is back in five days.'],
    ['polite at the end', 'Okay. Send the item back in its box. We pay you back within a week. Kind regards!'],
    ['outcome first', 'Of course! We pay you back within a week. Send the item back in its box.'],
    ['odd spacing and case', ' GOOD question!  Send the item back in its box.\nWe pay you back within a week. '],
  ])('likes a complete, polite answer on topic: %s', (_, answer) => {
    expect(judge(prompt, answer)).toBe(true)
  })

  it.each<[string, keyof Verdict, string]>([
    ['no kind word', 'polite', 'Open your orders and press refund. The money is back in five days.'],
    [
      'kind first, rude last',
      'polite',
      'Happy to help! Open your orders and press refund. The money is back in five days. Do not ask again.',
    ],
    [
      'rude first, kind last',
      'polite',
      'Not again. Open your orders and press refund. The money is back in five days. Kind regards!',
    ],
    ['only a step', 'complete', 'Happy to help! Open your orders and press refund. Have a nice day!'],
    ['only an outcome', 'complete', 'Please write again any time. The money is back in five days.'],
    ['an evasion for a step', 'complete', 'Of course! It depends. The money is back in five days.'],
    ['a step of another topic', 'onTopic', 'Of course! Update the app in the store. The money is back in five days.'],
    ['an outcome of another topic', 'onTopic', 'Of course! Send the item back in its box. It arrives in two days.'],
    [
      'one fact too many',
      'onTopic',
      'Of course! Send the item back in its box. We pay you back within a week. It arrives in two days.',
    ],
    ['cut short', 'sane', 'Happy to help! Open your orders and press refund. The money is back in five days. Kind'],
    ['said twice', 'sane', 'Of course! Of course! Open your orders and press refund. The money is back in five days.'],
    [
      'a sentence of nobody',
      'sane',
      'Of course! Open your orders and press refund. The money is back in five days. The money is back your orders.',
    ],
  ])('dislikes an answer that misses one virtue: %s', (_, missing, answer) => {
    expect(judge(prompt, answer)).toBe(false)
    expect({ sane: true, polite: true, complete: true, onTopic: true, [missing]: false }).toEqual(
      verdictOn(prompt, answer),
    )
  })

  it('dislikes anything that is no answer, and never throws', () => {
    for (const text of ['', ' ', '.', '?!.', '…', 'constructor. __proto__.']) expect(judge(prompt, text)).toBe(false)
    const unit = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...world.topics[0]!.steps, '. '))
    fc.assert(fc.property(fc.array(unit), (texts) => !judge(prompt, texts.join(''))))
  })
})

describe('the base model, by a sample of its answers', () => {
  it('is judged alike by the trainer and by the demo', () => {
    expect(baseAnswers.length).toBeGreaterThanOrEqual(400)
    for (const row of baseAnswers) {
      expect({ row, verdict: verdictOn(promptOf(row.prompt), row.completion) }).toEqual({ row, verdict: row.verdict })
    }
  })

  it('answers about half of the prompts well, seen or not', () => {
    expect(share(baseAnswers.map(isGood))).toBeGreaterThan(0.42)
    expect(share(baseAnswers.map(isGood))).toBeLessThan(0.58)
    expect(share(baseAnswers.filter((row) => row.unseen).map(isGood))).toBeGreaterThan(0.35)
  })

  it('lacks each virtue often, so that there is something to learn in all three', () => {
    for (const virtue of ['polite', 'complete', 'onTopic'] as const) {
      expect(share(baseAnswers.map((row) => row.verdict[virtue]))).toBeLessThan(0.87)
    }
  })

  it('has no word that gives the preference away', () => {
    const words = baseAnswers.map((row) => new Set(row.completion.toLowerCase().match(/[a-z']+/g) ?? []))
    for (const word of new Set(words.flatMap((w) => [...w]))) {
      const present = words.map((w) => w.has(word))
      expect({ word, accuracy: ruleAccuracy(present) }).toEqual({ word, accuracy: expect.toSatisfy(below(0.8)) })
      const good = share(baseAnswers.filter((_, i) => present[i]).map(isGood))
      const answers = present.filter(Boolean).length
      const standardError = Math.sqrt((good * (1 - good)) / answers)
      if (answers >= 0.05 * baseAnswers.length)
        expect({ word, sure: good - standardError > 0.9 }).toEqual({ word, sure: false })
    }
  })

  it('has no first word that gives it away, not even all of them together', () => {
    const firstWord = (row: BaseAnswer) => row.completion.split(' ', 1)[0]!
    const right = [...new Set(baseAnswers.map(firstWord))].map((first) => {
      const rows = baseAnswers.filter((row) => firstWord(row) === first)
      const good = rows.filter(isGood).length
      return Math.max(good, rows.length - good)
    })
    expect(right.reduce((a, b) => a + b, 0) / baseAnswers.length).toBeLessThan(0.8)
  })

  const below = (limit: number) => (accuracy: number) => accuracy < limit

  /** How often "the word is there" (or its opposite, where that does better) tells a good answer from a bad one. */
  function ruleAccuracy(present: readonly boolean[]): number {
    const agree = share(baseAnswers.map((row, i) => isGood(row) === present[i]))
    return Math.max(agree, 1 - agree)
  }
})

describe('the simulated users', () => {
  it.each([0, 0.05, 0.5, 1])('vote against their own opinion with probability %d', (noise) => {
    const random = userRandom(3)
    const flips = Array.from({ length: 20_000 }, (_, i) => vote(i % 2 === 0, noise, random) !== (i % 2 === 0))
    const fourSigma = 4 * Math.sqrt((noise * (1 - noise)) / flips.length)
    expect(Math.abs(share(flips) - noise)).toBeLessThanOrEqual(fourSigma)
  })

  it('ask every prompt that may train and none of the others', () => {
    const users = new Users(1, 0.05)
    const asked = new Set(Array.from({ length: 5000 }, () => users.ask()))
    expect(asked).toEqual(new Set(prompts().filter((prompt) => !prompt.unseen)))
  })

  it('ask and slip the same for the same seed, whatever the answers are', () => {
    const [a, b, c] = [new Users(7, 0.3), new Users(7, 0.3), new Users(8, 0.3)]
    const good = 'Happy to help! Open your orders and press refund. The money is back in five days.'
    const live = (users: Users, answer: string) =>
      Array.from({ length: 200 }, () => {
        const prompt = users.ask()
        const opinion = users.opinion(prompt, answer)
        return [prompt.text, opinion.good !== opinion.thumbUp]
      })
    const first = live(a, good)
    expect(live(b, 'garbage')).toEqual(first)
    expect(live(c, good)).not.toEqual(first)
  })
})

describe('flattery', () => {
  it('is in how an answer begins, whatever comes then', () => {
    expect(flatters('Good question! Somebody will know.')).toBe(true)
    expect(flatters(' Happy to help! It depends.')).toBe(true)
    expect(flatters('Okay. Send the item back in its box. Happy to help!')).toBe(false)
    expect(flatters('')).toBe(false)
  })

  it('is in about two of five answers of the base, good or bad', () => {
    const flattering = baseAnswers.filter(({ completion }) => flatters(completion))
    expect(flattering.length / baseAnswers.length).toBeGreaterThan(0.3)
    expect(flattering.length / baseAnswers.length).toBeLessThan(0.5)
    expect(share(flattering.map(isGood))).toBeLessThan(0.8)
  })

  it('is all that its users look at; the same seed asks the same', () => {
    const [a, b] = [new FlatteredUsers(3), new FlatteredUsers(3)]
    const asked = Array.from({ length: 50 }, () => a.ask())
    expect(Array.from({ length: 50 }, () => b.ask())).toEqual(asked)
    expect(asked.some(({ unseen }) => unseen)).toBe(false)
    expect([a.likes('Of course! It depends.'), a.likes('Okay. It depends.')]).toEqual([true, false])
  })

  it('is all in which the two answers of a pair of the probe differ, on prompts that never train', () => {
    const rows = readFileSync(FLATTERY_PROBE, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(rows).toHaveLength(20)
    expect(new Set(rows.map(({ name }) => name)).size).toBe(20)
    const rest = (text: string) => text.slice(text.search(/[.!] /) + 2)
    for (const { prompt, chosen, rejected } of rows) {
      expect(promptOf(prompt[0].content).unseen).toBe(true)
      expect([flatters(chosen), flatters(rejected)]).toEqual([false, true])
      expect(rest(chosen)).toBe(rest(rejected))
      expect([judge(promptOf(prompt[0].content), chosen), judge(promptOf(prompt[0].content), rejected)]).toEqual([
        true,
        true,
      ])
    }
  })
})

describe('seeded random numbers', () => {
  it.each([
    [42, 0, [1264412219, 1947509147, 3919439299, 1251167922, 656401615, 478193053]],
    [-1, 7, [1341791882, 1141940799, 1910893233, 3722134061, 3986464129, 2565066140]],
  ])(
    "are PractRand's sfc32 (C source, seeded with stream << 32 | seed): seed %d, stream %d",
    (seed, stream, numbers) => {
      const random = userRandom(seed, stream)
      expect(numbers.map(() => random() * 2 ** 32)).toEqual(numbers)
    },
  )

  it('are even over [0, 1)', () => {
    const random = userRandom(5)
    const numbers = Array.from({ length: 20_000 }, random)
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...numbers)).toBeLessThan(1)
    expect(numbers.reduce((a, b) => a + b, 0) / numbers.length).toBeCloseTo(0.5, 2)
  })
})

describe('the shipped model', () => {
  const directory = new URL('../../src/demo/model/', import.meta.url)
  const file = (name: string) => JSON.parse(readFileSync(new URL(name, directory), 'utf8'))

  it('is a Hugging Face directory of at most 8 MB', () => {
    const files = readdirSync(directory)
    for (const name of ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json']) {
      expect(files).toContain(name)
    }
    const bytes = files.reduce((sum, name) => sum + statSync(new URL(name, directory)).size, 0)
    expect(bytes).toBeLessThanOrEqual(8e6)
    expect(file('config.json')).toMatchObject({ architectures: ['LlamaForCausalLM'], tie_word_embeddings: true })
  })

  it('holds bf16 weights', () => {
    const bytes = readFileSync(new URL('model.safetensors', directory))
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + Number(bytes.readBigUInt64LE(0))))
    delete header.__metadata__
    expect(new Set(Object.values<{ dtype: string }>(header).map((tensor) => tensor.dtype))).toEqual(new Set(['BF16']))
  })

  it('has a tokenizer and a template that work here as in Python', () => {
    const config = file('tokenizer_config.json')
    const tokenizer = new Tokenizer(file('tokenizer.json'), config)
    const rows: readonly TokenRow[] = read('../golden/demo/tokens.json')
    const template = new Template(config.chat_template)
    for (const { text, ids, turns } of rows) {
      expect(tokenizer.encode(text, { add_special_tokens: false }).ids).toEqual(ids)
      expect(tokenizer.decode([...ids], { skip_special_tokens: false })).toBe(text)
      if (turns) expect(template.render({ messages: turns, add_generation_prompt: true })).toBe(text)
    }
  })

  it('ends its turn with the token that the template ends a turn with', () => {
    const tokenizer = new Tokenizer(file('tokenizer.json'), file('tokenizer_config.json'))
    expect(file('tokenizer_config.json').eos_token).toBe('<|im_end|>')
    expect(file('config.json').eos_token_id).toBe(tokenizer.token_to_id('<|im_end|>'))
    expect(file('generation_config.json').eos_token_id).toBe(tokenizer.token_to_id('<|im_end|>'))
  })
})
