/**
 * Votes from people's ratings of conversations, out of the PyPI package chitchat-dataset 0.9.0 (MIT; BYU Perception,
 * Control & Cognition Lab): 7,168 conversations of students, rated from 1 to 10. docs/backtest.md has what came of them.
 *
 *     pip download --no-deps chitchat-dataset==0.9.0 && unzip chitchat_dataset-0.9.0-*.whl
 *     node bench/chitchat.mjs chitchat_dataset/dataset.json votes.jsonl [EVERY]
 *
 * A vote is one conversation: the first six replies of its second speaker, after the first words of the first. `interesting` from 9 on
 * is a thumbs-up, below 8 a thumbs-down; 8 lies between, and 5 is where the slider stands if nobody moves it. In the
 * order of their times; every EVERYth, from the first on.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'

const [, , from, to, every = '1'] = process.argv
const conversations = Object.entries(JSON.parse(readFileSync(from, 'utf8')))

/** Longer votes would take longer than a reader has patience for. */
const REPLIES = 6

const hash = (text) => createHash('sha256').update(text).digest('hex').slice(0, 16)
const textOf = (turn) => turn.map(({ text }) => text.trim()).join(' ')

function* votes() {
  for (const [id, { messages, ratings, prompt }] of conversations) {
    const rating = Number(ratings?.interesting)
    const turns = messages.filter((turn) => turn.length > 0 && textOf(turn) !== '')
    const first = turns[0]?.[0]
    const answers = turns.filter((turn) => turn[0].sender !== first.sender).slice(0, REPLIES)
    if (!(rating >= 1) || rating === 5 || rating === 8 || answers.length === 0) continue
    yield {
      specversion: '1.0',
      type: 'bcod.feedback.v1',
      source: 'chitchat',
      id,
      subject: id,
      time: new Date(first.timestamp).toISOString(),
      data: {
        prompt: [{ role: 'user', content: prompt ? `${prompt}\n${textOf(turns[0])}` : textOf(turns[0]) }],
        completion: [{ role: 'assistant', content: answers.map(textOf).join('\n') }],
        label: rating >= 9,
        user: hash(first.sender),
      },
    }
  }
}

const inOrder = [...votes()].sort((a, b) => a.time.localeCompare(b.time) || a.id.localeCompare(b.id))
const taken = inOrder.filter((_, i) => i % Number(every) === 0)
writeFileSync(to, taken.map((vote) => `${JSON.stringify(vote)}\n`).join(''))
const ups = taken.filter(({ data }) => data.label).length
console.log(
  `${taken.length} votes of ${inOrder.length}, ${ups} up, ${new Set(taken.map(({ data }) => data.user)).size} users`,
)
