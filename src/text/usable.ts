/** Tokens of a text, as a count: what they cost is paid here, so it is asked for little more than is used. */
type Count = (text: string) => number

/** Characters for each token that are looked at first. Ordinary text has 2 to 5. */
const CHARACTERS = 8
/** Tokens beside a cut that may come out otherwise than in the whole text. */
const MARGIN = 256
/**
 * A long run of like characters is cut after a multiple of this many of them, 8!. The tokens of a repeated pattern
 * repeat too, in step with its start: this way they stay in step for every pattern of up to 10 characters.
 */
const PERIOD = 40_320

/**
 * The end of a text that holds its last `tokens` tokens and a margin, so that these come out as in the whole text: the
 * rest of a prompt can never be used, and to tokenise a megabyte takes seconds. It begins where a run of letters,
 * digits, spaces or other characters begins, where tokenizers split or soon come into step, or a fixed way into a run.
 */
export function usableEnd(text: string, tokens: number, count: Count): string {
  const wanted = tokens + MARGIN
  for (let length = CHARACTERS * wanted; ; length *= 2) {
    if (length >= text.length) return text
    const cut = cutBefore(text, text.length - length)
    if (cut === 0) return text
    const end = text.slice(cut)
    if (count(end) >= wanted) return end
  }
}

/** The beginning of a text, which has more than `tokens` tokens where the whole has: enough to find it too long. */
export function usableStart(text: string, tokens: number, count: Count): string {
  const wanted = tokens + MARGIN
  for (let length = CHARACTERS * wanted; length < text.length; length *= 2) {
    const start = text.slice(0, length)
    if (count(start) >= wanted) return start
  }
  return text
}

/** A place at or before `index` to cut at. */
function cutBefore(text: string, index: number): number {
  const kind = kindOf(text.charCodeAt(index))
  let start = index
  while (start > 0 && kindOf(text.charCodeAt(start - 1)) === kind) start -= 1
  // a space before a word is the beginning of its first token
  if (start > 0 && text[start - 1] === ' ') start -= 1
  return start + Math.floor((index - start) / PERIOD) * PERIOD
}

/** Letters, digits, spaces, others; both halves of a surrogate pair are of one kind. */
function kindOf(code: number): 0 | 1 | 2 | 3 {
  if (code >= 0xd800 && code <= 0xdfff) return 3
  const character = String.fromCharCode(code)
  if (/\p{L}|\p{M}/u.test(character)) return 0
  if (/\p{N}/u.test(character)) return 1
  return /\s/u.test(character) ? 2 : 3
}
