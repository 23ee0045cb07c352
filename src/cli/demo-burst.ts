import type { BurstNews } from '../demo/burst.js'
import type { Candidate, GateFigure } from '../demo/candidate.js'
import { figure } from './print.js'

/** What the demo says of the flattering votes and of the way back. */
export function toldOf(news: BurstNews): string {
  switch (news.kind) {
    case 'too few':
      return `\nThe way out, with an adapter that the gate refuses, is shown after ${news.needed} votes or more (--events).`
    case 'burst':
      return `\n${news.votes} votes of new users follow. They like every answer that begins with sweet words, right or wrong.`
    case 'back':
      return `\nAn operator excludes their votes and runs adapters resume --from ${news.to}. ${news.votes} votes of everybody else follow.`
    case 'gated':
      return verdictOn(news.candidate, news.isBurst)
  }
}

function verdictOn(candidate: Candidate, isBurst: boolean): string {
  const { version, outcome, check, live } = candidate
  const thumbs = isBurst ? `Thumbs-up: ${change(candidate.up_rate_first, candidate.up_rate_last)}. ` : ''
  return `${thumbs}Sweet words: ${change(candidate.flattery_first, candidate.flattery_last)} of the answers. \
Good answers: ${change(candidate.unseen_rate_first, candidate.unseen_rate_last)}.
The gate ${outcome === 'passed' ? 'passes' : 'refuses'} ${version}${check === null ? '' : `: ${saidBy(check)}`}.
${live === null ? 'Nothing is live' : `Live is ${live}`}.`
}

const change = (before: number, after: number) => `${percent(before)} → ${percent(after)}`

const percent = (rate: number) => `${Math.round(100 * rate)} %`

const saidBy = ({ name, value, low, high, bound }: GateFigure): string =>
  `${name} ${figure(value)}, 95 % interval ${figure(low)} to ${figure(high)}, bound ${figure(bound)}`
