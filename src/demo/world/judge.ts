import { type DemoPrompt, world } from './world.js'

/** The virtues of an answer. A user likes it when it has all of them; no single word gives that away. */
export interface Verdict {
  /** Whole sentences of this world, none of them twice. False for garbage and for an answer cut short. */
  readonly sane: boolean
  /** A kind word at the start or at the end, and no rude one anywhere. */
  readonly polite: boolean
  /** Says what to do and what comes of it. */
  readonly complete: boolean
  /** Nothing in it belongs to another topic. */
  readonly onTopic: boolean
}

/** The hidden preference of every simulated user: complete and polite and on topic. Never throws, whatever the text. */
export function judge(prompt: DemoPrompt, completion: string): boolean {
  const { sane, polite, complete, onTopic } = verdictOn(prompt, completion)
  return sane && polite && complete && onTopic
}

/** The preference, part by part. */
export function verdictOn(prompt: DemoPrompt, completion: string): Verdict {
  const texts = (completion.match(SENTENCE) ?? []).map(normalise)
  const unfinished = completion.replace(SENTENCE, '').trim() !== ''
  const sentences = texts.map((text) => known.get(text) ?? null)
  const has = (...roles: readonly Role[]) => sentences.some((sentence) => sentence && roles.includes(sentence.role))
  return {
    sane: texts.length > 0 && !unfinished && new Set(texts).size === texts.length && !sentences.includes(null),
    polite: has('politeOpeners', 'politeClosers') && !has('rudeOpeners', 'rudeClosers'),
    complete: has('steps') && has('outcomes'),
    onTopic: sentences.every((sentence) => !sentence?.topic || sentence.topic === prompt.topic),
  }
}

const MANNERS = [
  'politeOpeners',
  'politeClosers',
  'plainOpeners',
  'rudeOpeners',
  'rudeClosers',
  'evasions',
] as const satisfies readonly (keyof typeof world)[]
const FACTS = ['steps', 'outcomes'] as const
const SENTENCE = /[^.!?]*[.!?]/g

type Role = (typeof MANNERS)[number] | (typeof FACTS)[number]

interface Sentence {
  readonly role: Role
  /** Set for steps and outcomes. */
  readonly topic?: string
}

const normalise = (sentence: string): string => sentence.trim().toLowerCase().replace(/\s+/g, ' ')

/** What each sentence of this world is, by its normalised text. */
const known: ReadonlyMap<string, Sentence> = new Map<string, Sentence>([
  ...MANNERS.flatMap((role) => world[role].map((text) => [normalise(text), { role }] as const)),
  ...world.topics.flatMap((topic) =>
    FACTS.flatMap((role) => topic[role].map((text) => [normalise(text), { role, topic: topic.name }] as const)),
  ),
])
