import { type TokenPair, tokensOf } from './token-trees.js'

/** Pairs in order, as many in each piece as `tokens` hold, one at least. */
export function piecesOf<T extends TokenPair>(pairs: readonly T[], tokens: number): readonly (readonly T[])[] {
  const pieces: T[][] = []
  let room = 0
  for (const pair of pairs) {
    const piece = pieces.at(-1)
    const size = tokensOf(pair)
    if (piece !== undefined && size <= room) {
      piece.push(pair)
      room -= size
    } else {
      pieces.push([pair])
      room = tokens - size
    }
  }
  return pieces
}
