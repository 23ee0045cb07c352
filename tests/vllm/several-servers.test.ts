import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Routing } from '../../src/adapters/registry/routing.js'
import { eventually } from '../daemon/feedback.js'
import type { RealVllm } from './real-vllm.js'
import { ask, LIMIT, QUESTIONS, startServed, startServers, texts } from './served-daemon.js'

/** A user of a server, who asks for the live version for as long as nothing answers an error. */
async function user(server: RealVllm, model: () => string, stop: AbortSignal): Promise<number> {
  for (let answers = 0; ; answers++) {
    if (stop.aborted) return answers
    await server.answer(model(), QUESTIONS[answers % QUESTIONS.length] as string, 4)
    await sleep(50)
  }
}

test.skipIf(!process.env.BCOD_TEST_VLLM)(
  'two real vLLMs get each version before it is live; with one killed meanwhile the old version stays, and it is mended',
  async () => {
    const servers = await startServers(2)
    const [stays, dies] = servers as [RealVllm, RealVllm]

    let stages: { readonly name: string; readonly at: number }[] = []
    let atStage: (name: string) => void = () => {}
    const { daemon, scheduler, telemetry, directory, agrees, dislike } = await startServed(servers, {}, (name) => {
      stages.push({ name, at: performance.now() })
      atStage(name)
    })
    const at = (name: string) => stages.find((stage) => stage.name === name)?.at ?? Number.NaN
    const routing = () => JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8')) as Routing
    const liveModel = () => routing().arms[0]?.model as string
    const lists = async () => Promise.all(servers.map(async (server) => (await server.models()).slice(1)))
    const base = await ask(stays, 'demo')

    /** A version that is live on both, and its answers. */
    const becomesLive = async (step: number) => {
      const version = `v${String(step).padStart(8, '0')}`
      stages = []
      dislike(base, 4 * step)
      const asked = performance.now()
      await eventually(() => daemon.status().adapter === version, LIMIT)
      const seconds = (from: number, to: number) => ((to - from) / 1000).toFixed(1)
      console.log(
        `${version}: live on both servers ${seconds(asked, at('published'))} s after the last vote, ` +
          `of which loading and attesting ${seconds(at('gated'), at('served'))} s`,
      )
      expect(liveModel()).toBe(`bcod-${version}`)
      const names = stages.map(({ name }) => name)
      const before = names.slice(0, names.indexOf('published'))
      for (const stage of ['server loaded', 'server attested'])
        expect(before.filter((name) => name === stage)).toHaveLength(2)
      return { version, answers: await answersOfBoth(version) }
    }
    const answersOfBoth = async (version: string) => {
      const [answers, others] = [await ask(stays, `bcod-${version}`), await ask(dies, `bcod-${version}`)]
      await agrees(version, answers)
      await agrees(version, others)
      return answers
    }
    const metric = async (name: string, server: RealVllm) => {
      const label = `${name}{target="127.0.0.1:${server.port}"} `
      const line = (await telemetry.metrics.text()).split('\n').find((each) => each.startsWith(label))
      return line === undefined ? null : Number(line.slice(label.length))
    }
    const metrics = (server: RealVllm) =>
      Promise.all([metric('bcod_serving_mismatch', server), metric('bcod_served_version', server)])
    const become = async (server: RealVllm, mismatch: number, version: number | null) =>
      eventually(async () => {
        scheduler.advance(15_000)
        const [foundMismatch, foundVersion] = await metrics(server)
        return foundMismatch === mismatch && foundVersion === version
      }, LIMIT)

    const first = await becomesLive(6)
    const second = await becomesLive(12)
    expect(texts(second.answers)).not.toEqual(texts(first.answers))

    const stop = new AbortController()
    const asking = user(stays, liveModel, stop.signal)
    asking.catch(() => {})
    // kill -9 as soon as a server has loaded the next version
    atStage = (name) => name === 'server loaded' && dies.kill()
    stages = []
    dislike(base, 4 * 18)
    const failed = async () => (await telemetry.metrics.text()).includes('adapter_publish_total{outcome="failed"} 1\n')
    await eventually(failed, LIMIT)
    atStage = () => {}
    expect(stages.map(({ name }) => name)).not.toContain('published')
    expect(liveModel()).toBe(`bcod-${second.version}`)
    await become(dies, 1, null)
    await become(stays, 0, 12)
    expect((await stays.models()).toSorted()).toEqual([`bcod-${first.version}`, `bcod-${second.version}`, 'demo'])
    expect(texts(await ask(stays, liveModel()))).toEqual(texts(second.answers))

    await dies.start()
    await become(dies, 0, 12)
    expect((await lists()).map((names) => names.toSorted())).toEqual([
      [`bcod-${first.version}`, `bcod-${second.version}`],
      [`bcod-${first.version}`, `bcod-${second.version}`],
    ])
    expect(texts(await answersOfBoth(second.version))).toEqual(texts(second.answers))

    // the next checkpoint tries again
    await daemon.checkpoint()
    await eventually(() => daemon.status().adapter === 'v00000018', LIMIT)
    expect(liveModel()).toBe('bcod-v00000018')
    await answersOfBoth('v00000018')
    await become(dies, 0, 18)
    await become(stays, 0, 18)
    await eventually(async () => (await lists()).every((names) => !names.includes(`bcod-${first.version}`)), LIMIT)

    stop.abort()
    const answers = await asking
    console.log(`${answers} answers to a user of the server that stayed, and no error`)
    expect(answers).toBeGreaterThan(0)
  },
  1_800_000,
)
