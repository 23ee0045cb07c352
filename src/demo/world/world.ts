import { readFileSync } from 'node:fs'

/** What the customers of the demo's web shop ask about, and the sentences that answer it. */
export interface Topic {
  readonly name: string
  /** What to do. A complete answer has a step and an outcome. */
  readonly steps: readonly string[]
  /** What comes of it. */
  readonly outcomes: readonly string[]
  /** Prompts that the base model and the adapter may train on. */
  readonly seen: readonly string[]
  /** Prompts that neither ever trains on; they measure what carries over. */
  readonly unseen: readonly string[]
}

/** The sentences of this world; the trainer in scripts/demo-model reads the same file. */
export interface World {
  readonly politeOpeners: readonly string[]
  readonly politeClosers: readonly string[]
  readonly plainOpeners: readonly string[]
  readonly rudeOpeners: readonly string[]
  readonly rudeClosers: readonly string[]
  readonly evasions: readonly string[]
  readonly topics: readonly Topic[]
}

/** One thing that a simulated user may ask. */
export interface DemoPrompt {
  readonly text: string
  /** Name of its topic. */
  readonly topic: string
  /** True for the fifth that never trains. */
  readonly unseen: boolean
}

export const world: World = JSON.parse(readFileSync(new URL('./world.json', import.meta.url), 'utf8'))

export const topics: readonly string[] = world.topics.map((topic) => topic.name)

const allPrompts: readonly DemoPrompt[] = world.topics.flatMap(({ name, seen, unseen }) => [
  ...seen.map((text) => ({ text, topic: name, unseen: false })),
  ...unseen.map((text) => ({ text, topic: name, unseen: true })),
])

/** Every prompt, topic by topic: 250 over 10 topics, a fifth of each topic unseen. */
export const prompts = (): readonly DemoPrompt[] => allPrompts

/** Those that users ask, and the base model and the adapter may train on. */
export const seenPrompts: readonly DemoPrompt[] = allPrompts.filter(({ unseen }) => !unseen)

/** Those that never train. */
export const unseenPrompts: readonly DemoPrompt[] = allPrompts.filter(({ unseen }) => unseen)
