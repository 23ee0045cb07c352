import { BcodError } from '../errors.js'
import type { PackedShape } from '../model/packed-shape.js'
import { type BlockKeys, blockKeys } from '../model/query-blocks.js'
import { sequenceOf, sharedStart, type TokenPair } from './token-trees.js'

/** Sequences as the programs take them; N, R, B and T as in `PackedShape`. */
export interface PackedInputs extends Partial<BlockKeys> {
  /** Token ids, tree after tree; int32[N] */
  readonly inputIds: Int32Array
  /** Position of each token within its sequences; int32[N] */
  readonly positionIds: Int32Array
  /** The part of prompts that a token belongs to (`PackedBatch.promptParts`), 2R if to none; int32[N] */
  readonly promptPartIds: Int32Array
  /** Rows of slots, on which the attention runs: the token in each slot; int32[B·T]. Slots beyond all tokens hold token 0 again. */
  readonly slotTokens: Int32Array
  /**
   * Up to which slot of its row a slot is seen: by itself and by those after it and before this one. In the walk through a
   * tree, what continues a token stands right behind it; int32[B·T]
   */
  readonly slotEnds: Int32Array
  /** The slot of each token; int32[N] */
  readonly tokenSlots: Int32Array
  /** Completion tokens: the token whose logits predict each, its id, its sequence (R for an unused entry); int32[M] */
  readonly logitIndices: Int32Array
  readonly targetIds: Int32Array
  readonly targetSegmentIds: Int32Array
  /** How many completion tokens there are. */
  readonly targetCount: number
}

export interface PackedBatch {
  readonly inputs: PackedInputs
  /**
   * The parts of each sequence's prompt: prompts are cut where they part, so that a token is in one part and a prompt is
   * some of them. There are at most 2R.
   */
  readonly promptParts: readonly (readonly number[])[]
}

/** The shape of a packed batch, and how many of its sequences, in their order, are one tree each (`TokenTree`). */
export interface BatchLayout {
  readonly shape: PackedShape
  readonly trees: readonly number[]
}

/**
 * Lays sequences out in a packed batch.
 *
 * @param targetCapacity  M, room for completion tokens
 * @throws INTERNAL if they do not fit
 */
export function packBatch(
  events: readonly TokenPair[],
  { shape, trees }: BatchLayout,
  targetCapacity: number,
): PackedBatch {
  const layout = new Layout(shape, targetCapacity)
  let start = 0
  for (const count of trees) {
    layout.add(events.slice(start, start + count))
    start += count
  }
  return layout.finish()
}

class Layout {
  readonly #inputs: { -readonly [name in keyof PackedInputs]: PackedInputs[name] }
  readonly #shape: PackedShape
  readonly #parts = new PartsOfPrompts()
  /** Slots taken in each row. */
  readonly #used: number[]
  #tokens = 0
  #sequences = 0

  constructor(shape: PackedShape, targetCapacity: number) {
    const { tokens: N, sequences: R, rows: B, length: T } = shape
    const ints = (size: number, value = 0) => new Int32Array(size).fill(value)
    this.#shape = shape
    this.#used = new Array<number>(B).fill(0)
    this.#inputs = {
      ...{ inputIds: ints(N), positionIds: ints(N), promptPartIds: ints(N, 2 * R), tokenSlots: ints(N) },
      slotTokens: ints(B * T),
      // a slot without a token sees itself alone, and no other sees it
      slotEnds: Int32Array.from({ length: B * T }, (_, slot) => (slot % T) + 1),
      ...{ logitIndices: ints(targetCapacity), targetIds: ints(targetCapacity), targetCount: 0 },
      targetSegmentIds: ints(targetCapacity, R),
    }
  }

  add(tree: readonly TokenPair[]): void {
    const sequences = tree.map(sequenceOf)
    const shared = sequences.map((sequence, i) => (i === 0 ? 0 : sharedStart(sequences[i - 1] as number[], sequence)))
    const size = sequences.reduce((sum, { length }, i) => sum + length - (shared[i] as number), 0)
    const row = this.#used.findIndex((taken) => this.#shape.length - taken >= size)
    this.#assertRoom(tree, size, row)
    /** The token at each position of the present sequence. */
    const path: number[] = []
    sequences.forEach((sequence, i) => {
      this.#close(path, shared[i] as number, row)
      for (let position = path.length; position < sequence.length; position++)
        path.push(this.#place(sequence[position] as number, position, row))
      this.#addTargets(tree[i] as TokenPair, path)
      this.#parts.add(path.slice(0, (tree[i] as TokenPair).promptTokens.length), this.#sequences++)
    })
    this.#close(path, 0, row)
  }

  finish(): PackedBatch {
    const { tokens: N } = this.#shape
    const { slotTokens, tokenSlots, promptPartIds } = this.#inputs
    // tokens without a sequence stand alone in free slots: no gradient comes back to them
    const free = this.#used.flatMap((taken, row) =>
      Array.from({ length: this.#shape.length - taken }, (_, i) => row * this.#shape.length + taken + i),
    )
    for (let token = this.#tokens; token < N; token++) {
      const slot = free[token - this.#tokens] as number
      tokenSlots[token] = slot
      slotTokens[slot] = token
    }
    // one row is computed by blocks
    const keys = this.#shape.rows === 1 ? blockKeys(this.#inputs.slotEnds) : {}
    return { inputs: { ...this.#inputs, ...keys }, promptParts: this.#parts.finish(promptPartIds) }
  }

  #assertRoom(tree: readonly TokenPair[], size: number, row: number): void {
    const { tokens: N, sequences: R, rows: B, length: T } = this.#shape
    const targets = tree.reduce((sum, { completionTokens }) => sum + completionTokens.length, 0)
    const isFull = this.#tokens + size > N || this.#sequences + tree.length > R
    if (row >= 0 && !isFull && this.#inputs.targetCount + targets <= this.#inputs.targetIds.length) return
    throw new BcodError('INTERNAL', `${size} more tokens do not fit a packed batch of ${N} in ${B}x${T}`)
  }

  /** @returns the token */
  #place(id: number, position: number, row: number): number {
    const token = this.#tokens++
    const slot = row * this.#shape.length + (this.#used[row] as number)
    this.#used[row] = (this.#used[row] as number) + 1
    this.#inputs.inputIds[token] = id
    this.#inputs.positionIds[token] = position
    this.#inputs.tokenSlots[token] = slot
    this.#inputs.slotTokens[slot] = token
    return token
  }

  /** Nothing that follows continues the tokens of the path from this position on. */
  #close(path: number[], from: number, row: number): void {
    const { tokenSlots, slotEnds } = this.#inputs
    for (const token of path.splice(from)) slotEnds[tokenSlots[token] as number] = this.#used[row] as number
  }

  #addTargets({ promptTokens, completionTokens }: TokenPair, path: readonly number[]): void {
    const { logitIndices, targetIds, targetSegmentIds } = this.#inputs
    completionTokens.forEach((id, index) => {
      const position = promptTokens.length + index
      // the first token of a sequence has no context that could predict it
      if (position === 0) return
      const at = this.#inputs.targetCount++
      logitIndices[at] = path[position - 1] as number
      targetIds[at] = id
      targetSegmentIds[at] = this.#sequences
    })
  }
}

/** Divides the tokens of prompts into parts, so that all tokens of a part belong to the same prompts. */
class PartsOfPrompts {
  readonly #partOf = new Map<number, number>()
  /** The sequences of each part. */
  readonly #sequences: (readonly number[])[] = []
  #count = 0

  /** @param tokens  of the prompt of this sequence */
  add(tokens: readonly number[], sequence: number): void {
    this.#count = sequence + 1
    const divided = new Map<number | undefined, number>()
    for (const token of tokens) {
      const before = this.#partOf.get(token)
      const known = divided.get(before)
      const part =
        known ??
        this.#sequences.push([...(before === undefined ? [] : (this.#sequences[before] as number[])), sequence]) - 1
      divided.set(before, part)
      this.#partOf.set(token, part)
    }
  }

  /** Numbers the parts that have tokens, and writes each token's. */
  finish(ids: Int32Array): readonly (readonly number[])[] {
    const numbers = new Map<number, number>()
    const bySequence = Array.from({ length: this.#count }, (): number[] => [])
    for (const [token, part] of this.#partOf) {
      if (!numbers.has(part)) {
        numbers.set(part, numbers.size)
        for (const sequence of this.#sequences[part] as number[])
          (bySequence[sequence] as number[]).push(numbers.size - 1)
      }
      ids[token] = numbers.get(part) as number
    }
    return bySequence
  }
}
