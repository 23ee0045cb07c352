/// <reference lib="es2024.string" />
import type { Tokenizer } from '@huggingface/tokenizers'
import { BcodError } from '../errors.js'
import { isMarked, type Piece, pieces } from './marks.js'
import { TokenFinder } from './token-finder.js'

type Tokens = readonly number[]

const ANCHORS = ['\n', 'a', '.']

/** Texts become token ids, without special tokens beyond those that stand in them. Marks in them count (`marks.ts`). */
export class TokenEncoder {
  /** What was counted to find out where to cut is asked for again. */
  #last: { readonly text: string; readonly ids: Tokens } = { text: '', ids: [] }
  /** Finds the tokens at which the tokenizer splits a text before it looks at the rest. */
  readonly #splitting: TokenFinder

  /** @param isControl  whether an id must not come out of plain text */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly isControl: (id: number) => boolean,
  ) {
    const added = [...tokenizer.get_added_tokens_decoder().values()]
    const inText = added.filter(({ normalized }) => !normalized || tokenizer.normalizer === null)
    this.#splitting = new TokenFinder(inText.map(({ content }) => content))
  }

  /** @throws TOKENIZE_FAILED, CONTROL_TOKEN_IN_TEXT */
  encode(text: string): Tokens {
    if (text !== this.#last.text) this.#last = { text, ids: this.#encodeMarked(text) }
    return this.#last.ids
  }

  /**
   * The tokens of `text` where it follows `before`: those that the whole has beyond the tokens of `before`. Tokenised
   * on its own its first word would get the mark of a word's start from SentencePiece-style tokenizers.
   *
   * Where a token of the whole would reach over the boundary, `before` keeps the tokens that the model was given and
   * `text` is tokenised as a continuation: a model cannot go back on its prompt.
   */
  encodeAfter(before: string, text: string): Tokens {
    const known = this.encode(before)
    const whole = this.#encodeMarked(before + text)
    return known.every((id, i) => id === whole[i]) ? whole.slice(known.length) : this.encodeContinued(text)
  }

  /**
   * The end of a text from its last added token on; all of it if there is none. What follows the text is tokenised
   * behind this end as it is behind the whole.
   */
  lastPart(text: string): string {
    return isMarked(text) ? text : text.slice(this.#splitting.lastSplit(text))
  }

  /** The tokens of a text that goes on from something unknown. */
  encodeContinued(text: string): Tokens {
    return pieces(text).flatMap((piece) => this.#encodePiece(piece))
  }

  #encodeMarked(text: string): Tokens {
    if (!isMarked(text)) return this.#encodeText(text)
    const [first, ...rest] = pieces(text)
    return [...this.#encodeText(first!.text), ...rest.flatMap((piece) => this.#encodePiece(piece))]
  }

  /**
   * As transformers encodes a piece from within a chat: behind an anchor, whose tokens are taken away again. Where the
   * piece begins with a line break, that may join the first anchor, so there are others.
   */
  #encodePiece({ text, plain }: Piece): Tokens {
    if (text === '') return []
    const encode = (piece: string) => (plain ? this.#encodePlain(piece) : this.#encodeText(piece))
    for (const anchor of ANCHORS) {
      const ids = afterAnchor(encode(anchor + text), this.#encodeText(anchor))
      if (ids !== null) return plain ? this.#withoutControl(ids) : ids
    }
    return plain ? this.#withoutControl(encode(text)) : encode(text)
  }

  /** An unknown character may come out as a token that the files call special: nobody's turn ends with it. */
  #withoutControl(ids: Tokens): Tokens {
    const unknown = this.tokenizer.model?.unk_token_id
    if (!ids.some((id) => id !== unknown && this.isControl(id))) return ids
    throw new BcodError('CONTROL_TOKEN_IN_TEXT', 'the tokenizer has no plain form of a control token in the text')
  }

  /** Lone surrogates become U+FFFD, as they do wherever text is written as UTF-8: in checkpoints, for one. */
  #encodeText(text: string): Tokens {
    return this.#ids(text, () => this.tokenizer.encode(text.toWellFormed(), { add_special_tokens: false }).ids)
  }

  /** The tokenizer's stages without the first, which looks for added tokens. */
  #encodePlain(text: string): Tokens {
    return this.#ids(text, () => {
      const { normalizer, pre_tokenizer, model } = this.tokenizer
      const normalised = normalizer === null ? text.toWellFormed() : normalizer(text.toWellFormed())
      const words = pre_tokenizer === null ? [normalised] : pre_tokenizer(normalised, { section_index: 0 })
      return model!(words).map((token: string) => model!.tokens_to_ids.get(token) ?? model!.unk_token_id)
    })
  }

  #ids(text: string, encode: () => readonly (number | undefined)[]): Tokens {
    let ids: readonly (number | undefined)[]
    try {
      ids = encode()
    } catch (error) {
      const kind = error instanceof Error ? error.constructor.name : typeof error
      throw new BcodError('TOKENIZE_FAILED', `the tokenizer failed on a text of ${text.length} characters (${kind})`)
    }
    if (!ids.every((id): id is number => Number.isInteger(id))) {
      throw new BcodError('TOKENIZE_FAILED', 'the tokenizer has no id for a part of the text')
    }
    return ids
  }
}

/** What follows the anchor's tokens; null if the anchor's last token took something of the text. */
const afterAnchor = (ids: Tokens, anchor: Tokens): Tokens | null =>
  anchor.every((id, i) => ids[i] === id) ? ids.slice(anchor.length) : null
