import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { eventually } from '../daemon/feedback.js'
import type { Answer, RealVllm } from './real-vllm.js'
import { ask, LIMIT, QUESTIONS, startServed, startServers, TOKENS, texts } from './served-daemon.js'

test.skipIf(!process.env.BCOD_TEST_VLLM)(
  'a real vLLM answers with each published version as bcod does, goes back with a rollback, and is mended after kill -9',
  async () => {
    const [server] = (await startServers(1)) as [RealVllm]
    const { daemon, scheduler, directory, agrees, dislike } = await startServed([server])
    const base = await ask(server, 'demo')
    await agrees(null, base)

    const published: { readonly version: string; readonly answers: readonly Answer[] }[] = []
    for (const step of [6, 12]) {
      dislike(base, 4 * step)
      const asked = performance.now()
      const version = `v${String(step).padStart(8, '0')}`
      await eventually(() => daemon.status().adapter === version, LIMIT)
      const { seconds: gate } = JSON.parse(readFileSync(join(directory, version, 'gate.json'), 'utf8'))
      const live = (performance.now() - asked) / 1000
      console.log(
        `${version}: live ${live.toFixed(1)} s after the last vote (six steps and a gate of ${gate.toFixed(1)} s)`,
      )
      const answers = await ask(server, `bcod-${version}`)
      await agrees(version, answers)
      published.push({ version, answers })
    }
    const [first, second] = published as [(typeof published)[number], (typeof published)[number]]
    expect(texts(second.answers)).not.toEqual(texts(base))
    expect(texts(second.answers)).not.toEqual(texts(first.answers))

    const started = performance.now()
    await new Registry(directory, { by: 'cli' }).rollback()
    const routing = JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8'))
    expect(texts(await ask(server, routing.arms[0].model))).toEqual(texts(first.answers))
    const seconds = (performance.now() - started) / 1000
    console.log(`rollback: old text after ${seconds.toFixed(1)} s`)
    expect(seconds).toBeLessThan(10)

    const status = () => Object.values(daemon.status().servers)[0]
    const becomes = (version: string | null, problem: string | null) =>
      eventually(() => {
        scheduler.advance(15_000)
        return status()?.version === version && status()?.problem === problem
      }, LIMIT)
    await becomes(first.version, null)
    // what was rolled back is unloaded
    await expect(server.answer(`bcod-${second.version}`, 'Hello', 1)).rejects.toThrow('does not exist')

    server.kill()
    await becomes(null, 'SERVING_UNREACHABLE')
    await server.start()
    await becomes(first.version, null)
    // looks and users' requests share batches
    const looks = setInterval(() => scheduler.advance(15_000), 100)
    onTestFinished(() => clearInterval(looks))
    const together = await Promise.all(
      QUESTIONS.map((question) => server.answer(`bcod-${first.version}`, question, TOKENS)),
    )
    expect(texts(together)).toEqual(texts(first.answers))
    expect(status()).toEqual({ version: first.version, problem: null })
  },
  1_200_000,
)
