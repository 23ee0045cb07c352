import { BcodError } from '../errors.js'
import type { AddedToken } from './added-tokens.js'
import { CLOSE, isMarked, OPEN, pieces, withoutMarks } from './marks.js'
import { TokenFinder } from './token-finder.js'

/** What becomes of control tokens in the text of a vote (`limits.specialTokens`). */
export type SpecialTokenPolicy = 'reject' | 'escape' | 'allow'

/** Marks of an answer's own: its thinking and its calls. They are not special, and an answer given as text has them. */
const OWN = /think|thought|reason|call/i

/**
 * Keeps text of a vote from turning into control tokens, with which its author could end a turn and begin another.
 * Control tokens are the special ones, and those others that the chat template writes (transformers' own rule).
 */
export class ControlTokens {
  readonly ids: ReadonlySet<number>
  readonly #all: TokenFinder
  /** In the text of an answer. */
  readonly #answers: TokenFinder
  readonly #normalised: TokenFinder

  /** @param normalise  the tokenizer's normaliser; null if it has none */
  constructor(
    tokens: readonly AddedToken[],
    private readonly policy: SpecialTokenPolicy,
    private readonly normalise: ((text: string) => string) | null,
  ) {
    const contents = (list: readonly AddedToken[]) => list.map(({ content }) => content)
    this.ids = new Set(tokens.map(({ id }) => id))
    this.#all = new TokenFinder(contents(tokens))
    this.#answers = new TokenFinder(contents(tokens.filter(({ special, content }) => special || !OWN.test(content))))
    const normalised = normalise === null ? [] : contents(tokens.filter((token) => token.normalized))
    this.#normalised = new TokenFinder(normalised.map((content) => normalise!(content)))
  }

  /**
   * The text with its control tokens marked as plain text.
   *
   * @param isAnswer  marks of thinking and calls stay what they are
   * @throws CONTROL_TOKEN_IN_TEXT where the policy is `reject`
   */
  guard(text: string, place: string, isAnswer = false): string {
    const clean = withoutMarks(text)
    if (this.policy === 'allow') return clean
    const finder = isAnswer ? this.#answers : this.#all
    if (this.#hides(clean)) return this.#refuseOr(place, () => OPEN + clean + CLOSE)
    const matches = [...finder.matches(clean)]
    if (matches.length > 0) return this.#refuseOr(place, () => this.#parted(marked(clean, matches), clean))
    return this.#parted(clean, clean)
  }

  /** `guard` on every string of plain data, names included. */
  guardAll(value: unknown, place: string): unknown {
    if (typeof value === 'string') return this.guard(value, place)
    if (Array.isArray(value)) return value.map((item) => this.guardAll(item, place))
    if (typeof value !== 'object' || value === null) return value
    const entries = Object.entries(value)
    return Object.fromEntries(entries.map(([key, item]) => [this.guard(key, place), this.guardAll(item, place)]))
  }

  /**
   * Takes away the marks that part texts where nothing would join: the text is then tokenised as if there were none.
   *
   * @param before  what comes before the text
   * @throws CONTROL_TOKEN_IN_TEXT where parts of a vote, together or with the template's own text, make a control token
   */
  settle(text: string, before = ''): string {
    if (!isMarked(text)) return text
    const joined = text.replace(/\ufdd0([^\ufdd0\ufdd1]*)\ufdd1|[\ufdd0\ufdd1]/g, (whole, inside?: string) =>
      inside === undefined ? '' : whole,
    )
    const context = pieces(before).at(-1)?.text ?? ''
    if (this.#count(context + joined) === this.#count(context + text)) return joined
    return this.#refuseOr('data', () => text)
  }

  #count(text: string): number {
    const counts = pieces(text).map((piece) =>
      piece.plain ? 0 : this.#all.count(piece.text) + this.#hidden(piece.text),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }

  #hidden(text: string): number {
    return this.normalise === null ? 0 : this.#normalised.count(this.normalise(text))
  }

  /** Whether a control token shows only once the text is normalised, alone or beside others that are seen. */
  #hides(text: string): boolean {
    if (this.normalise === null) return false
    const seen = [...this.#all.matches(text)]
    if (this.#hidden(text) > seen.length) return true
    const starts = [0, ...seen.map(([, end]) => end)]
    const ends = [...seen.map(([start]) => start), text.length]
    return starts.some((start, i) => this.#hidden(text.slice(start, ends[i])) > 0)
  }

  /** A mark at either end that could become part of a control token. */
  #parted(text: string, clean: string): string {
    const forms = this.normalise === null ? [clean] : [clean, this.normalise(clean)]
    const starts = forms.some((form) => this.#all.endsWithin(form) || this.#normalised.endsWithin(form))
    const ends = forms.some((form) => this.#all.beginsWithin(form) || this.#normalised.beginsWithin(form))
    return (starts ? CLOSE : '') + text + (ends ? CLOSE : '')
  }

  #refuseOr(place: string, escaped: () => string): string {
    if (this.policy === 'escape') return escaped()
    throw new BcodError('CONTROL_TOKEN_IN_TEXT', 'a control token of the model stands in the text', { place })
  }
}

function marked(text: string, matches: readonly (readonly [number, number])[]): string {
  let out = ''
  let from = 0
  for (const [start, end] of matches) {
    out += text.slice(from, start) + OPEN + text.slice(start, end) + CLOSE
    from = end
  }
  return out + text.slice(from)
}
