// What the demo prints.

/** `   12 s  text`, since the start. */
export const timed = (seconds, text) => `${seconds.toFixed(0).padStart(5)} s  ${text}`

/** What is at an address. */
export const named = (name, address, what) => `${name.padEnd(8)} ${address.padEnd(32)}${what}`

export const VOTES_HEAD = '  votes   thumbs up   answered by   live for the next'

/** A row of so many votes in all; `said` are the last of them. */
export function votesRow(votes, said, { version, seconds }) {
  const up = said.filter(({ label }) => label).length / said.length
  const writers = [...new Set(said.map(({ adapter }) => adapter))].sort().join(', ')
  return `${String(votes).padStart(7)}   ${percent(up).padStart(9)}   ${writers.padEnd(11)}   ${version} after ${seconds.toFixed(1)} s`
}

/** A token is long; its beginning shows what it is. */
export function shownVote({ completion, label, token }) {
  const shortened = { completion, label, token: `${token.slice(0, 12)}…` }
  return `POST /v1/feedback ${JSON.stringify(shortened)}`
}

/** Of each question two answers, in two columns of a terminal so wide. */
export function sideBySide({ heads, questions, answers, width }) {
  const column = Math.max(30, Math.floor((Math.min(width, 120) - 5) / 2))
  const row = (left, right) => `  ${left.padEnd(column)} ${right}`.trimEnd()
  const lines = [row(...heads)]
  for (const [i, question] of questions.entries()) {
    const [left, right] = answers.map((side) => wrapped(side[i], column))
    lines.push('', `“${question}”`)
    for (let line = 0; line < Math.max(left.length, right.length); line++)
      lines.push(row(left[line] ?? '', right[line] ?? ''))
  }
  return lines.join('\n')
}

/** Lines of at most so many characters, broken between words. */
function wrapped(text, width) {
  const lines = ['']
  for (const word of text.split(/\s+/)) {
    const longer = lines.at(-1) === '' ? word : `${lines.at(-1)} ${word}`
    if (longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

const percent = (share) => `${Math.round(100 * share)} %`

/** What set-up has yet to fetch, and how long all of it takes. */
export function beforehand(missing) {
  const run = 'The demo takes two to three minutes on two cores, and needs 4 GB of memory.'
  if (missing.length === 0) return run
  const minutes = Math.ceil(missing.reduce((sum, { minutes }) => sum + minutes, 0))
  const what = missing.map(({ name, size }) => `  ${name}: ${size}`).join('\n')
  return `First, set-up fetches what is missing. It takes about ${minutes} min, once.\n${what}\n${run}`
}
