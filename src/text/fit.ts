/**
 * Fits a prompt and its completion into `maxLength` tokens. The prompt loses tokens from its left; a BOS that it starts
 * with is kept. Null if the completion leaves no room for one prompt token, which its first token is predicted from.
 */
export function fitToLength(
  promptTokens: readonly number[],
  completionTokens: readonly number[],
  maxLength: number,
  bosId: number | null,
): { readonly promptTokens: readonly number[]; readonly completionTokens: readonly number[] } | null {
  const room = maxLength - completionTokens.length
  if (room < 1) return null
  if (promptTokens.length <= room) return { promptTokens, completionTokens }
  const first = promptTokens[0]
  const cut =
    first === bosId ? [first, ...promptTokens.slice(promptTokens.length - room + 1)] : promptTokens.slice(-room)
  return { promptTokens: cut, completionTokens }
}
