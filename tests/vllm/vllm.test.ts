import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import type { DaemonLearner } from '../../src/daemon/options.js'
import { EMBEDDED_MODEL } from '../../src/demo/settings.js'
import { eventually, vote } from '../daemon/feedback.js'
import { NOW, place } from '../daemon/in-process.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { startLocalLearner } from '../support/local-learner.js'
import { type Answer, RealVllm } from './real-vllm.js'

const QUESTIONS = [
  ...['How do I get a refund?', 'Where is my parcel?', 'How do I cancel my plan?', 'I forgot my password.'],
  ...['The jacket does not fit.', 'How do I pay by card?', 'Can I speak to somebody?', 'The invoice is wrong.'],
]
const TOKENS = 24
const END = 2
/** f32 on both sides, operations in another order; 3e-5 was the largest that was seen. */
const TOLERANCE = 1e-4
const LIMIT = 300_000

const PUBLISH = { attest: 1e-4, timeout: '60s' }

/** What the learner itself answers and computes under a version; null is the base. */
async function own(learner: DaemonLearner, directory: string, version: string | null, answers: readonly Answer[]) {
  const adapter = version === null ? null : readAdapter(join(directory, version))
  const options = { maxTokens: TOKENS, temperature: 0, seed: 0, eosIds: new Set([END]) }
  const tokens: (readonly number[])[] = []
  for (let i = 0; i < answers.length; i += 4) {
    const prompts = answers.slice(i, i + 4).map(({ promptTokens }) => promptTokens)
    tokens.push(...(await learner.call('answersUnder', adapter, prompts, options)))
  }
  const logps: (readonly number[])[] = []
  for (const { promptTokens, tokens: answer } of answers) {
    const pairs = answer.map((token, i) => ({
      promptTokens: [...promptTokens, ...answer.slice(0, i)],
      completionTokens: [token],
    }))
    logps.push((await learner.call('logpsUnder', adapter, pairs)) as readonly number[])
  }
  return { tokens, logps }
}

const largest = (found: readonly (readonly number[])[], expected: readonly (readonly number[])[]) =>
  Math.max(...found.flatMap((row, i) => row.map((value, j) => Math.abs(value - (expected[i]?.[j] ?? Number.NaN)))))

test.skipIf(!process.env.BCOD_TEST_VLLM)(
  'a real vLLM answers with each published version as bcod does, goes back with a rollback, and is mended after kill -9',
  async () => {
    const log = join(temporaryDirectory(), 'vllm.log')
    const options = ['--served-model-name', 'demo', '--enable-lora', '--max-loras', '2', '--max-lora-rank', '8']
    const server = await RealVllm.start(EMBEDDED_MODEL, [...options, '--dtype', 'float32'], log)
    onTestFinished(() => server.kill())
    const ask = async (model: string) => {
      const answers: Answer[] = []
      for (const question of QUESTIONS) answers.push(await server.answer(model, question, TOKENS))
      return answers
    }

    const daemons = place({
      ...{ 'model.path': EMBEDDED_MODEL, 'lora.r': 8, 'lora.alpha': 16, 'limits.maxLength': 96, 'batch.tokens': 512 },
      ...{ 'bco.beta': 0.3, 'optimizer.lr': 2e-3, 'checkpoint.everySteps': 6, 'publish.attest': PUBLISH.attest },
      ...{ 'publish.targets': [{ kind: 'vllm', urls: [server.url] }], 'publish.timeout': PUBLISH.timeout },
    })
    const directory = daemons.config.adapters.dir
    const { daemon, log: votes } = daemons.start(undefined, {
      startLearner: (setup, events) =>
        startLocalLearner({ ...setup, given: { divergence: false, answerRows: 4 } }, events),
    })
    await eventually(() => daemon.status().state === 'running', LIMIT)

    const agrees = async (version: string | null, answers: readonly Answer[]) => {
      const { tokens, logps } = await own(daemon.learner, directory, version, answers)
      expect(answers.map((answer) => answer.tokens)).toEqual(tokens)
      const difference = largest(
        answers.map((answer) => answer.logps),
        logps,
      )
      console.log(`${version ?? 'base'}: ${logps.flat().length} tokens, largest difference ${difference}`)
      expect(difference).toBeLessThan(TOLERANCE)
    }
    const base = await ask('demo')
    await agrees(null, base)

    // everybody dislikes how the base answers
    let sent = 0
    const dislike = () =>
      base.forEach(({ promptTokens, tokens }, i) => {
        const other = base[(i + 3) % base.length] as Answer
        for (const [completionTokens, label] of [
          [tokens, false],
          [other.tokens, true],
        ] as const) {
          const { key, value } = vote(sent++, { promptTokens, completionTokens, label })
          votes.append([{ timestamp: NOW, key: Buffer.from(key), value: Buffer.from(value), headers: {} }])
        }
      })
    const published: { readonly version: string; readonly answers: readonly Answer[] }[] = []
    for (const step of [6, 12]) {
      while (sent < 4 * step) dislike()
      const asked = performance.now()
      const version = `v${String(step).padStart(8, '0')}`
      await eventually(() => daemon.status().adapter === version, LIMIT)
      const { seconds: gate } = JSON.parse(readFileSync(join(directory, version, 'gate.json'), 'utf8'))
      const live = (performance.now() - asked) / 1000
      console.log(
        `${version}: live ${live.toFixed(1)} s after the last vote (six steps and a gate of ${gate.toFixed(1)} s)`,
      )
      const answers = await ask(`bcod-${version}`)
      await agrees(version, answers)
      published.push({ version, answers })
    }
    const [first, second] = published as [(typeof published)[number], (typeof published)[number]]
    const texts = (answers: readonly Answer[]) => answers.map(({ text }) => text)
    expect(texts(second.answers)).not.toEqual(texts(base))
    expect(texts(second.answers)).not.toEqual(texts(first.answers))

    const started = performance.now()
    await new Registry(directory, { by: 'cli' }).rollback()
    const routing = JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8'))
    expect(texts(await ask(routing.arms[0].model))).toEqual(texts(first.answers))
    const seconds = (performance.now() - started) / 1000
    console.log(`rollback: old text after ${seconds.toFixed(1)} s`)
    expect(seconds).toBeLessThan(10)

    const status = () => Object.values(daemon.status().servers)[0]
    const becomes = (version: string | null, problem: string | null) =>
      eventually(() => {
        daemons.scheduler.advance(15_000)
        return status()?.version === version && status()?.problem === problem
      }, LIMIT)
    await becomes(first.version, null)
    // what was rolled back is unloaded
    await expect(server.answer(`bcod-${second.version}`, 'Hello', 1)).rejects.toThrow('does not exist')

    server.kill()
    await becomes(null, 'SERVING_UNREACHABLE')
    await server.restart()
    await becomes(first.version, null)
    // looks and users' requests share batches
    const looks = setInterval(() => daemons.scheduler.advance(15_000), 100)
    onTestFinished(() => clearInterval(looks))
    const together = await Promise.all(
      QUESTIONS.map((question) => server.answer(`bcod-${first.version}`, question, TOKENS)),
    )
    expect(texts(together)).toEqual(texts(first.answers))
    expect(status()).toEqual({ version: first.version, problem: null })
  },
  1_200_000,
)
