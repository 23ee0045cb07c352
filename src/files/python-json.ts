import { scanJson, withInfinities } from './json-scan.js'

/** JSON could not be read; the message says where and never quotes the text. */
export class JsonSyntaxError extends Error {}

/**
 * Parses JSON as Python's `json.load` does, with which transformers and PEFT read and write their files: `NaN`,
 * `Infinity` and `-Infinity` are numbers. Each is read as Infinity, which every key that counts refuses.
 *
 * @throws JsonSyntaxError with line and column
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const { fault, notFinite } = scanJson(text)
    if (fault === null) return JSON.parse(withInfinities(text, notFinite))
    const before = text.slice(0, fault.at).split('\n')
    const place = `line ${before.length}, column ${(before.at(-1) as string).length + 1}`
    throw new JsonSyntaxError(`${place}: ${fault.problem}`)
  }
}
