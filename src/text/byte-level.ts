/**
 * Makes the byte-level step of @huggingface/tokenizers 0.2.0 faster, once when this file is first imported: the library
 * turns each word into bytes and each byte into its character. Words of printable ASCII, with a space before them or
 * not, come out as they are, the space as `Ġ` (`bytes_to_unicode` of GPT-2).
 */
import * as tokenizers from '@huggingface/tokenizers'

interface ByteLevel {
  readonly add_prefix_space: boolean
  readonly use_regex: boolean
  readonly pattern: RegExp
  pre_tokenize_text(text: string, options?: object): string[]
}

const PLAIN = /^ ?[!-~]*$/
// the library's types leave it out
const { ByteLevelPreTokenizer } = tokenizers as unknown as { readonly ByteLevelPreTokenizer: { prototype: ByteLevel } }
const byteLevel = ByteLevelPreTokenizer.prototype
const inBytes = byteLevel.pre_tokenize_text

byteLevel.pre_tokenize_text = function (text, options) {
  const spaced = this.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text
  const words = this.use_regex ? (spaced.match(this.pattern) ?? []) : [spaced]
  const whole = Object.create(this, { add_prefix_space: { value: false }, use_regex: { value: false } }) as ByteLevel
  return words.flatMap((word) => (PLAIN.test(word) ? word.replace(' ', 'Ġ') : inBytes.call(whole, word, options)))
}
