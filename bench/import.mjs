// What `bcod import` takes for exports of gigabytes: the rate, the processor time and the largest resident memory of its process. The
// exports are made up, each in its product's natural large form; one message in fifty has a vote. Prints one JSON line for
// each format; docs/performance.md has figures.
//
//   node bench/import.mjs [--gigabytes 2] [--formats open-webui,langfuse,…] [--dir DIR]
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: flags } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    formats: { type: 'string', default: 'open-webui,langfuse,librechat,flowise,trl-unpaired' },
    dir: { type: 'string', default: tmpdir() },
  },
})
const bytes = Number(flags.gigabytes) * 2 ** 30
const directory = mkdtempSync(join(flags.dir, 'bcod-import-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

const WORDS = 'The parcel left our house on Monday and is with the carrier, who calls before noon. '
const text = (i) => `${i} ${WORDS.repeat(4 + (i % 9))}`
const time = (i) => new Date(1.7e12 + 1000 * i).toISOString()
const isVoted = (i) => i % 50 === 0
const TURNS = 10

/** A chat of ten turns in which one answer has a vote. */
function openWebUi(i) {
  const messages = {}
  for (let t = 0; t < 2 * TURNS; t++) {
    const role = t % 2 === 0 ? 'user' : 'assistant'
    messages[`m${t}`] = { id: `m${t}`, parentId: t === 0 ? null : `m${t - 1}`, role, content: text(i + t), done: true }
  }
  const meta = { message_id: `m${2 * TURNS - 1}`, chat_id: `c${i}`, model_id: 'bcod' }
  const snapshot = { chat: { id: `c${i}`, chat: { history: { messages } } } }
  const about = { id: `f${i}`, user_id: `u${i % 1000}`, type: 'rating', updated_at: 1_700_000_000 + i }
  return { ...about, data: { rating: i % 2 === 0 ? 1 : -1, model_id: 'bcod' }, meta, snapshot }
}

/** Observations, and the scores of some of them. */
function langfuse(i) {
  const messages = Array.from({ length: TURNS }, (_, t) => ({
    role: t % 2 === 0 ? 'user' : 'assistant',
    content: text(i + t),
  }))
  const observation = {
    ...{ id: `o${i}`, traceId: `t${i}`, type: 'GENERATION', model: 'bcod', startTime: time(i) },
    ...{ input: { messages: messages.slice(0, TURNS - 1) }, output: { role: 'assistant', content: text(i) } },
  }
  const score = { id: `s${i}`, traceId: `t${i}`, observationId: `o${i}`, name: 'user-feedback', value: 1 }
  const more = { dataType: 'BOOLEAN', source: 'API', timestamp: time(i), updatedAt: time(i) }
  return isVoted(i) ? [observation, { ...score, ...more }] : [observation]
}

/** Messages, of conversations of ten turns. */
function librechat(i) {
  const [chat, turn] = [Math.floor(i / (2 * TURNS)), i % (2 * TURNS)]
  const id = { $oid: String(i) }
  const about = {
    _id: id,
    messageId: `m${i}`,
    conversationId: `c${chat}`,
    user: `u${chat % 1000}`,
    updatedAt: { $date: time(i) },
  }
  const parent = turn === 0 ? '00000000-0000-0000-0000-000000000000' : `m${i - 1}`
  const isAnswer = turn % 2 === 1
  const feedback = isAnswer && isVoted(i - 1) ? { feedback: { rating: 'thumbsUp' } } : {}
  return { ...about, parentMessageId: parent, isCreatedByUser: !isAnswer, text: text(i), model: 'bcod', ...feedback }
}

const flowiseMessage = (i) => ({
  ...{ id: `m${i}`, role: i % 2 === 0 ? 'userMessage' : 'apiMessage', chatId: `c${Math.floor(i / (2 * TURNS))}` },
  ...{ content: text(i), createdDate: time(i), chatflowid: 'f' },
})
const flowiseVote = (i) => ({
  ...{ id: `v${i}`, chatId: `c${Math.floor(i / (2 * TURNS))}`, messageId: `m${i + 1}`, rating: 'THUMBS_UP' },
  ...{ content: '', createdDate: time(i) },
})

const lines = (record) =>
  function* () {
    for (let i = 0; ; i++) for (const each of [record(i)].flat()) yield `${JSON.stringify(each)}\n`
  }

/** Pieces of a file; the generator ends when `isFull`. */
const FILES = {
  *'open-webui'(isFull) {
    for (let i = 0; !isFull(); i++) yield `${i === 0 ? '[' : ','}${JSON.stringify(openWebUi(i))}`
    yield ']'
  },
  langfuse: until(lines(langfuse)),
  librechat: until(lines(librechat)),
  'trl-unpaired': until(lines((i) => ({ prompt: text(i), completion: text(i + 1), label: i % 2 === 0 }))),
  /** Its full export: one object over many lines. */
  *flowise(isFull) {
    let count = 0
    yield '{\n  "ChatMessage": ['
    for (; !isFull(); count++) yield `${count === 0 ? '' : ','}\n    ${JSON.stringify(flowiseMessage(count), null, 2)}`
    yield '\n  ],\n  "ChatMessageFeedback": ['
    for (let i = 0; i + 1 < count; i += 50)
      yield `${i === 0 ? '' : ','}\n    ${JSON.stringify(flowiseVote(i), null, 2)}`
    yield '\n  ]\n}\n'
  },
}

function until(pieces) {
  return function* (isFull) {
    for (const piece of pieces()) {
      if (isFull()) return
      yield piece
    }
  }
}

async function write(format) {
  const path = join(directory, `${format}.json`)
  const file = createWriteStream(path)
  let written = 0
  for (const piece of FILES[format](() => written >= bytes)) {
    written += piece.length
    if (!file.write(piece)) await once(file, 'drain')
  }
  file.end()
  await once(file, 'close')
  return path
}

/** Has a process tell on stderr, as its last line, what it took. */
const TELL = "data:text/javascript,process.on('exit',()=>console.error(JSON.stringify(process.resourceUsage())))"

async function measure(format, path) {
  const out = join(directory, 'events.jsonl')
  const args = ['import', '--from', format, '--file', path, '--users', 'none', '--out', out, '--json']
  const started = performance.now()
  const child = spawn(process.execPath, ['--import', TELL, 'dist/cli.js', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [told, said] = ['', '']
  child.stdout.on('data', (chunk) => (told += chunk))
  child.stderr.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(said)
  const seconds = (performance.now() - started) / 1000
  const { events, skipped_by_reason } = JSON.parse(told)
  const { maxRSS, userCPUTime, systemCPUTime } = JSON.parse(said.trim().split('\n').at(-1))
  const size = statSync(path).size
  return {
    ...{ format, gigabytes: size / 2 ** 30, events, skipped_by_reason, seconds, mb_per_s: size / 1e6 / seconds },
    ...{ cpu_s: (userCPUTime + systemCPUTime) / 1e6, peak_mib: maxRSS / 1024, out_mib: statSync(out).size / 2 ** 20 },
  }
}

for (const format of flags.formats.split(',')) {
  const path = await write(format)
  console.log(JSON.stringify(await measure(format, path)))
  rmSync(path)
}
