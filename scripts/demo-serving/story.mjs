// The whole circle: visitors ask through the gateway and vote, and the version that their votes have trained answers.
import { setTimeout as sleep } from 'node:timers/promises'
import { print } from '../../dist/cli/print.js'
import { Parts } from './parts.mjs'
import { answersTo, ask, HELD_OUT, likes, questionOf, requestOf, vote } from './visitors.mjs'
import { named, shownVote, sideBySide, timed, VOTES_HEAD, votesRow } from './words.mjs'

const ROUNDS = 6
/** Votes of a round. */
const ROUND = 64
const AT_ONCE = 16
/** Votes of a step. */
const BATCH = 4
const SHOWN = 5
const LIVE_MS = 120_000

export async function story(signal) {
  const started = performance.now()
  const tell = (text) => print(timed((performance.now() - started) / 1000, text))
  const parts = new Parts()
  try {
    const circle = await startAll(parts, tell, signal)
    const before = await answersTo(circle.baseUrl, HELD_OUT, signal)
    tell(`${HELD_OUT.length} questions that nobody will vote on are asked: ${liked(before)} answers are liked.`)
    await rounds(circle, signal)
    const after = await answersTo(circle.baseUrl, HELD_OUT, signal)
    ending(before, after)
    await stayOpen(circle, signal)
  } finally {
    print('\nGateway, bcod, vLLM and Kafka end.')
    await parts.end()
  }
}

async function startAll(parts, tell, signal) {
  tell('Kafka and vLLM start.')
  const starting = [
    parts.broker().then((address) => {
      tell(named('Kafka', address, 'a broker of its own'))
      return address
    }),
    parts.vllm(signal).then((url) => {
      tell(named('vLLM', url, 'the small model of a web shop, on the CPU'))
      return url
    }),
  ]
  const [kafka, vllm] = await Promise.all(starting)
  const daemon = await parts.daemon({ kafka, vllm }, signal)
  tell(named('bcod', `${daemon}/`, 'its status page: open it now'))
  const gateway = await parts.gateway({ kafka, vllm, daemon }, signal)
  tell(named('gateway', gateway.baseUrl, 'base URL of any OpenAI client'))
  tell(named('', gateway.status, 'its state'))
  // a token is the promise that the log is there
  while ((await ask(gateway.baseUrl, requestOf('Hello', 'first'), signal)).token === null) await sleep(200)
  return { ...gateway, vllm, daemon }
}

/** Visitors vote; then the version that has learnt from all of them answers. */
async function rounds(circle, signal) {
  print('\nVisitors have had enough of sweet words. They vote down every answer that begins with some.\n')
  for (let round = 0; round < ROUNDS; round++) {
    const said = []
    for (let i = 0; i < ROUND; i += AT_ONCE) said.push(...(await votes(circle.baseUrl, round * ROUND + i, signal)))
    if (round === 0) print(`  ${shownVote(said[0].sent)}\n  202 {"event":"${said[0].event}"}\n\n${VOTES_HEAD}`)
    const count = (round + 1) * ROUND
    const live = await becomesLive(circle, `v${String(count / BATCH).padStart(8, '0')}`, signal)
    const labelled = said.map(({ sent: { label }, adapter }) => ({ label, adapter }))
    print(votesRow(count, labelled, live))
  }
  print(
    '\nLive is what was trained by the last vote of the row, passed by the gate, loaded into vLLM and checked there.',
  )
}

/** Of as many visitors at once. */
const votes = (baseUrl, first, signal) =>
  Promise.all(
    Array.from({ length: AT_ONCE }, async (_, i) => {
      const n = first + i
      const said = await ask(baseUrl, requestOf(questionOf(n), `visitor-${n}`, n), signal)
      return { ...said, ...(await vote(baseUrl, said, signal)) }
    }),
  )

/** Waits until the version answers through the gateway. */
async function becomesLive({ baseUrl, daemon }, version, signal) {
  const from = performance.now()
  const answers = async () => (await ask(baseUrl, requestOf('Hello', 'you'), signal)).adapter === version
  for (const end = Date.now() + LIVE_MS; !(await answers()); await sleep(100, null, { signal }))
    if (Date.now() > end) {
      const status = await (await fetch(`${daemon}/status`, { signal })).json()
      throw new Error(`${version} does not answer after ${LIVE_MS / 1000} s. Live is ${status.adapter}.`)
    }
  return { version, seconds: (performance.now() - from) / 1000 }
}

const liked = (answers) => `${answers.filter(({ text }) => likes(text)).length} of ${answers.length}`

function ending(before, after) {
  const texts = (answers) => answers.slice(0, SHOWN).map(({ text }) => text)
  const shown = { heads: ['before: base', `after: ${after[0].adapter}`], questions: HELD_OUT.slice(0, SHOWN) }
  const width = process.stdout.columns ?? 110
  print(`\n${sideBySide({ ...shown, answers: [texts(before), texts(after)], width })}`)
  print(`\nLiked: ${liked(before)} answers before, ${liked(after)} after. None of these questions was voted on.`)
}

/** On a terminal everything runs on until Ctrl-C. */
async function stayOpen({ baseUrl, daemon }, signal) {
  if (!process.stdout.isTTY) return
  const body = JSON.stringify({ model: 'demo', messages: [{ role: 'user', content: 'Where is my parcel?' }] })
  print(`\nEverything runs on. Ask it yourself:\n`)
  print(`  curl -i ${baseUrl}/chat/completions -H 'content-type: application/json' -d '${body}'\n`)
  print(`The page of bcod is ${daemon}/. Ctrl-C ends all of it.`)
  await sleep(2 ** 31 - 1, null, { signal }).catch(() => {})
}
