import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { SLOTS } from '../../scripts/vllm/server.mjs'
import { Registry } from '../../src/adapters/registry/registry.js'
import { type ArmName, armOf, type Routing } from '../../src/adapters/registry/routing.js'
import { StatusServer } from '../../src/server/server.js'
import { eventually } from '../daemon/feedback.js'
import type { Answer, RealVllm } from './real-vllm.js'
import { ask, LIMIT, startServed, startServers, texts } from './served-daemon.js'

/** Votes of each arm that decide, and the users of an arm, who vote once each on a test. */
const VOTES = 120
const SETTINGS = {
  ...{ 'batch.size': 32, 'checkpoint.everySteps': 2, 'canary.share': 0.3, 'canary.controlShare': 0.2 },
  ...{ 'canary.minVotes': 100, 'canary.margin': 0.2, 'canary.maxDuration': '30d' },
}

/** The first users of an arm, found as `docs/canary.md` tells a router to find them. */
function usersOf(routing: Routing, name: ArmName, count: number): readonly string[] {
  const users: string[] = []
  for (let i = 0; users.length < count; i++) if (armOf(routing, `user-${i}`)?.name === name) users.push(`user-${i}`)
  return users
}

test.skipIf(!process.env.BCOD_TEST_VLLM)(
  'a real vLLM answers each arm under the name that routers read; votes promote one canary and roll the next one back',
  async () => {
    const [server] = (await startServers(1, SLOTS)) as [RealVllm]
    const { daemon, scheduler, directory, agrees, send, dislike, telemetry } = await startServed([server], SETTINGS)
    const registry = new Registry(directory, { by: 'cli' })
    const none = () => Promise.reject(new Error('not asked for'))
    const status = new StatusServer(
      { host: '127.0.0.1', port: 0, adminToken: null },
      {
        ...{ metrics: none, live: () => [], ready: () => [], status: () => ({}), history: () => ({}) },
        ...{ tap$: telemetry.tap.line$, routing: () => daemon.routing() },
      },
    )
    const port = await status.listen()
    onTestFinished(() => status.close())

    /** What routers read, over HTTP and from the file. */
    const routing = async (): Promise<Routing> => {
      const response = await fetch(`http://127.0.0.1:${port}/routing`)
      const served = (await response.json()) as Routing
      expect(served).toEqual(JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8')))
      return served
    }
    /** Time passes until something holds. */
    const until = (holds: () => Promise<boolean> | boolean) =>
      eventually(() => {
        scheduler.advance(2_000)
        return holds()
      }, LIMIT)
    const aliases = async () => (await registry.current()).aliases
    const adapters = async () => (await server.models()).filter((name) => name !== 'demo').toSorted()
    const served = (version: string) => `bcod-${version}`

    const base = await ask(server, 'demo')
    await agrees(null, base)
    dislike(base, 64)
    await until(async () => (await aliases()).live !== null && (await registry.current()).arms?.control != null)
    const first = (await aliases()).live as string
    dislike(base, 128)

    /** A canary beside the live version: the server answers under the model of each arm, with that arm's numbers. */
    const underTest = async () => {
      await until(async () => (await aliases()).canary !== null && daemon.status().canary !== null)
      const { live, canary } = (await aliases()) as { readonly live: string; readonly canary: string }
      const arms = new Map<ArmName, readonly Answer[]>()
      const held = await routing()
      for (const { name, version, model } of held.arms) {
        if (arms.has(name)) continue
        const answers = await ask(server, model)
        expect(new Set(answers.map((answer) => answer.model))).toEqual(new Set([model]))
        await agrees(version, answers)
        arms.set(name, answers)
      }
      expect(held.arms.find(({ name }) => name === 'control')).toMatchObject({ version: null, model: 'demo' })
      expect([...arms.keys()].toSorted()).toEqual(['canary', 'control', 'live'])
      return { held, arms, live, canary }
    }
    /** Users of two arms vote on what the server has answered them; `ups` of the canary's like it. */
    const decide = ({ held, arms }: Awaited<ReturnType<typeof underTest>>, ups: number) => {
      for (const [name, liked] of [
        ['live', 0.8 * VOTES],
        ['canary', ups],
      ] as const)
        for (const [i, user] of usersOf(held, name, VOTES).entries()) {
          const answers = arms.get(name) as readonly Answer[]
          const { promptTokens, tokens, model } = answers[i % answers.length] as Answer
          send({ user, adapter: model, promptTokens, completionTokens: tokens, label: i < liked })
        }
    }
    const reportOf = (version: string) => JSON.parse(readFileSync(join(directory, version, 'canary.json'), 'utf8'))

    const one = await underTest()
    expect(one.live).toBe(first)
    expect(await adapters()).toEqual([served(first), served(one.canary)])
    // kill -9 while the test is under way: every arm is answered again
    server.kill()
    await until(() => Object.values(daemon.status().servers)[0]?.problem === 'SERVING_UNREACHABLE')
    await server.start()
    await until(() => Object.values(daemon.status().servers)[0]?.problem === null)
    for (const { name, model } of (await routing()).arms)
      expect(texts(await ask(server, model))).toEqual(texts(one.arms.get(name) as readonly Answer[]))

    decide(one, 0.83 * VOTES)
    await until(async () => (await aliases()).live === one.canary)
    expect(reportOf(one.canary)).toMatchObject({ outcome: 'promoted', against: first })

    // a version that has waited meanwhile is the next canary
    const two = await underTest()
    expect(two.live).toBe(one.canary)
    expect(two.arms.get('live')?.map(({ text }) => text)).toEqual(texts(one.arms.get('canary') as readonly Answer[]))
    decide(two, 0.4 * VOTES)
    await until(async () => (await registry.current()).states[two.canary] === 'rolled_back')
    expect(reportOf(two.canary)).toMatchObject({ outcome: 'worse', against: two.live })
    expect((await aliases()).live).toBe(two.live)
    await until(async () => !(await adapters()).includes(served(two.canary)))

    const three = await underTest()
    expect(three.live).toBe(two.live)
    decide(three, 0.83 * VOTES)
    await until(async () => (await aliases()).live === three.canary)
    // the version before is kept for a rollback; the one before that is unloaded
    await until(async () => !(await adapters()).includes(served(first)))
    expect(await adapters()).toEqual(expect.arrayContaining([served(three.live), served(three.canary)]))
    expect(Object.values(daemon.status().servers)).toMatchObject([{ problem: null }])
  },
  1_800_000,
)
