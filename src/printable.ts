/**
 * What a terminal obeys instead of showing it, and what makes a reader see another order than there is: control
 * characters (C0 but tab and line feed, DEL, C1), marks of writing direction, and Unicode's own line ends.
 *
 * @see Unicode 15, 23.1 and 23.2; ECMA-48; Unicode TR 36, 2.7 (bidirectional text spoofing)
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNPRINTABLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * A text that may come from outside, as it may reach a terminal or a log: what is in it is shown and not obeyed, as
 * `\u001b`. In the text of a JSON document the value stays the same. Line feeds and tabs stay.
 */
export const printable = (text: string): string => text.replace(UNPRINTABLE, escaped)

/** The same within one line: line feeds and tabs are escaped as well, so that nobody can add a line of their own. */
export const printableLine = (text: string): string => printable(text).replace(/[\n\t]/g, escaped)

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
