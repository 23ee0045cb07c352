import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { servingArguments } from '../../scripts/vllm/server.mjs'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { EMBEDDED_MODEL } from '../../src/demo/settings.js'
import { eventually, type VoteChanges, vote } from '../daemon/feedback.js'
import { NOW, place } from '../daemon/in-process.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { freePort } from '../support/daemon.js'
import { startLocalLearner } from '../support/local-learner.js'
import { type Answer, RealVllm } from './real-vllm.js'

export const QUESTIONS = [
  ...['How do I get a refund?', 'Where is my parcel?', 'How do I cancel my plan?', 'I forgot my password.'],
  ...['The jacket does not fit.', 'How do I pay by card?', 'Can I speak to somebody?', 'The invoice is wrong.'],
]
/** Of each answer. */
export const TOKENS = 24
/** What a start, a step or a look may take on a machine that also does other things. Milliseconds. */
export const LIMIT = 300_000

const END = 2
/** f32 on both sides, operations in another order; 3e-5 was the largest that was seen. */
const TOLERANCE = 1e-4

const RANK = { 'lora.r': 8, 'lora.alpha': 16 }
const LENGTHS = { 'limits.maxLength': 96, 'batch.tokens': 512 }
const LEARNING = { 'bco.beta': 0.3, 'optimizer.lr': 2e-3, 'checkpoint.everySteps': 6 }

/**
 * Servers for the versions of such a daemon, at once.
 *
 * @param loras  how many adapters one batch may have
 * @param more   further arguments of `vllm serve`
 */
export async function startServers(
  count: number,
  loras = 2,
  more: readonly string[] = [],
): Promise<readonly RealVllm[]> {
  const args = [...servingArguments({ name: 'demo', rank: RANK['lora.r'], loras }), ...more]
  const directory = temporaryDirectory()
  const starts = Array.from({ length: count }, async (_, i) => {
    const log = join(directory, `vllm-${i}.log`)
    const server = new RealVllm({ model: EMBEDDED_MODEL, args, log, port: await freePort() })
    onTestFinished(() => server.kill())
    await server.start()
    return server
  })
  await Promise.allSettled(starts)
  return Promise.all(starts)
}

/** Greedy answers to `QUESTIONS`. */
export async function ask(server: RealVllm, model: string): Promise<readonly Answer[]> {
  const answers: Answer[] = []
  for (const question of QUESTIONS) answers.push(await server.answer(model, question, TOKENS))
  return answers
}

export const texts = (answers: readonly Answer[]): readonly string[] => answers.map(({ text }) => text)

/** A daemon in this process with the demo's model, which publishes to real servers. */
export async function startServed(
  servers: readonly RealVllm[],
  settings: Readonly<Record<string, unknown>> = {},
  onStage: (stage: string) => void = () => {},
) {
  const daemons = place({
    ...{ 'model.path': EMBEDDED_MODEL, ...RANK, ...LENGTHS, ...LEARNING },
    ...{ 'publish.targets': [{ kind: 'vllm', urls: servers.map(({ url }) => url) }] },
    ...{ 'publish.attest': TOLERANCE, 'publish.timeout': '60s', ...settings },
  })
  const directory = daemons.config.adapters.dir
  const started = daemons.start(undefined, {
    onStage,
    startLearner: (setup, events) =>
      startLocalLearner({ ...setup, given: { divergence: false, answerRows: 4 } }, events),
  })
  const { daemon, log } = started
  await eventually(() => daemon.status().state === 'running', LIMIT)

  /** What the learner itself answers and computes under a version; null is the base. */
  async function own(version: string | null, answers: readonly Answer[]) {
    const adapter = version === null ? null : readAdapter(join(directory, version))
    const options = { maxTokens: TOKENS, temperature: 0, seed: 0, eosIds: new Set([END]) }
    const tokens: (readonly number[])[] = []
    for (let i = 0; i < answers.length; i += 4) {
      const prompts = answers.slice(i, i + 4).map(({ promptTokens }) => promptTokens)
      tokens.push(...(await daemon.learner.call('answersUnder', adapter, prompts, options)))
    }
    const logps: (readonly number[])[] = []
    for (const { promptTokens, tokens: answer } of answers) {
      const pairs = answer.map((token, i) => ({
        promptTokens: [...promptTokens, ...answer.slice(0, i)],
        completionTokens: [token],
      }))
      logps.push((await daemon.learner.call('logpsUnder', adapter, pairs)) as readonly number[])
    }
    return { tokens, logps }
  }

  /** Fails unless a server's answers are the learner's, token for token. @param version  null is the base */
  async function agrees(version: string | null, answers: readonly Answer[]): Promise<void> {
    const { tokens, logps } = await own(version, answers)
    expect(answers.map((answer) => answer.tokens)).toEqual(tokens)
    const found = answers.map((answer) => answer.logps)
    const difference = largest(found, logps)
    console.log(`${version ?? 'base'}: ${logps.flat().length} tokens, largest difference ${difference}`)
    expect(difference).toBeLessThan(TOLERANCE)
  }

  let sent = 0
  const send = (changes: VoteChanges) => {
    const { key, value } = vote(sent++, changes)
    log.append([{ timestamp: NOW, key: Buffer.from(key), value: Buffer.from(value), headers: {} }])
  }
  /** `count` votes in all so far: everybody dislikes these answers, and likes one to another question better. */
  const dislike = (answers: readonly Answer[], count: number) => {
    for (let i = Math.floor(sent / 2); sent < count; i++) {
      const { promptTokens, tokens } = answers[i % answers.length] as Answer
      const other = answers[(i + 3) % answers.length] as Answer
      send({ promptTokens, completionTokens: tokens, label: false })
      send({ promptTokens, completionTokens: other.tokens, label: true })
    }
  }
  return { ...daemons, ...started, directory, agrees, send, dislike }
}

const largest = (found: readonly (readonly number[])[], expected: readonly (readonly number[])[]) =>
  Math.max(...found.flatMap((row, i) => row.map((value, j) => Math.abs(value - (expected[i]?.[j] ?? Number.NaN)))))
