import type { Content } from '../events/types.js'
import type { KeyHash } from './collections/key-hash.js'

/** Equal for prompts that differ only in spelling (see `normalised`). Token ids are compared exactly. */
export function hashOfPrompt(hash: KeyHash, prompt: Content): KeyHash {
  if (prompt.kind === 'tokens') return hash.ofIds(prompt.tokens)
  if (prompt.kind === 'text') return hash.of(`text ${normalised(prompt.text)}`)
  return hash.of(JSON.stringify(prompt.messages.map(({ role, content }) => [role, normalised(content ?? '')])))
}

/**
 * Equal for all prompts of one conversation, and for prompts that differ only in spelling: a conversation of messages is
 * known by the first thing that its user says. What comes before it, a system message, often changes between two turns.
 * A literal text is a conversation of its own, and so are token ids, which do not tell who speaks.
 */
export function hashOfConversation(hash: KeyHash, prompt: Content): KeyHash {
  if (prompt.kind === 'tokens') return hash.ofIds(prompt.tokens)
  if (prompt.kind === 'text') return hash.of(normalised(prompt.text))
  for (const { role, content } of prompt.messages) {
    const text = role === 'user' ? normalised(content ?? '') : ''
    if (text !== '') return hash.of(text)
  }
  return hashOfPrompt(hash, prompt)
}

/** 53 bits of a hash, from 1. */
export const keyOf = (hash: KeyHash): number => Math.max(1, hash.fraction * 2 ** 53)

/** Unicode's compatibility form in lower case, without invisible characters, with single spaces. */
const normalised = (text: string): string =>
  text
    .replace(INVISIBLE, '') // one between a letter and its accent would keep them apart
    .replace(MANY_MARKS, `$&${GRAPHEME_JOINER}`) // removed again below
    .normalize('NFKC')
    .toLowerCase()
    .replace(INVISIBLE, '')
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()

/**
 * Normalising puts the marks on one letter in order, in time that grows with the square of their number: a megabyte of
 * them would take minutes. A joiner after each thirty bounds it, as Unicode's stream-safe text format does (UAX 15).
 */
const MANY_MARKS = /[\p{M}\uff9e\uff9f]{30}/gu
const GRAPHEME_JOINER = '\u034f'
const INVISIBLE = /\p{Default_Ignorable_Code_Point}+/gu
