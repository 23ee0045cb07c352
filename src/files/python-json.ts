import { describeJsonError, jsonErrorAt } from './json-syntax.js'

/** JSON could not be read; the message says where and never quotes the text. */
export class JsonSyntaxError extends Error {}

/**
 * Parses JSON as Python's `json.load` does, with which transformers and PEFT read and write their files: `NaN`,
 * `Infinity` and `-Infinity` are numbers.
 *
 * @throws JsonSyntaxError with line and column
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return parseWithNumbers(text)
  }
}

function parseWithNumbers(text: string): unknown {
  const isNumber = (token: string) => !token.startsWith('"')
  // as long as what it stands for, so that the place of an error stays what it is
  const at = jsonErrorAt(
    text.replace(STRING_OR_NUMBER, (token) => (isNumber(token) ? '0'.padEnd(token.length) : token)),
  )
  if (at !== null) throw new JsonSyntaxError(describeJsonError(text, at))
  const marked = text.replace(STRING_OR_NUMBER, (token) => (isNumber(token) ? `{"${MARK}":"${token}"}` : token))
  return JSON.parse(marked, (_, value) =>
    typeof value === 'object' && value !== null && Object.hasOwn(value, MARK) ? Number(value[MARK]) : value,
  )
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g
const MARK = '__bcod_number__'
