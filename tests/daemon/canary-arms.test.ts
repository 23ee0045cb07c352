import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Move } from '../../src/adapters/moves/move.js'
import { Registry } from '../../src/adapters/registry/registry.js'
import { armOf, type Routing } from '../../src/adapters/registry/routing.js'
import type { CanaryReport } from '../../src/adapters/versions/canary-report.js'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { type VoteChanges, vote, votes } from './feedback.js'

const kafka = new TestBroker('canary')
const TOPIC = 'arms'

type Arm = 'live' | 'canary'

/** The first users of an arm, as a router finds them. */
async function usersOf(daemon: DaemonProcess, arm: Arm, count: number): Promise<readonly string[]> {
  const routing = (await (await daemon.get('/routing'))?.json()) as Routing
  const all = Array.from({ length: 100 * count }, (_, i) => `user-${i}`)
  const users = all.filter((user) => armOf(routing, user)?.name === arm).slice(0, count)
  expect(users).toHaveLength(count)
  return users
}

let index = 32
/** A vote of each user on answers of a version; four of five are thumbs-up, or one of five. */
const opinions = (users: readonly string[], adapter: string, ups: 4 | 1, changes: VoteChanges = {}) =>
  users.map((user, i) => vote(index++, { user, adapter, label: i % 5 < ups, ...changes }))

const canaryVotes = ({ arms }: DaemonStatus) => arms?.canary?.votes

// in `make test` canary.test.ts has the same in one process, without kills
test.runIf(thorough)(
  'users in arms vote: one canary is promoted and the next is rolled back, over kills, and nothing counts twice',
  async () => {
    await kafka.client.topic(TOPIC)
    const daemon = await DaemonProcess.create(join(kafka.directory, TOPIC), {
      ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
      ...{ 'batch.size': 16, 'batch.maxLatency': '200ms', 'checkpoint.every': '0', 'checkpoint.everySteps': 1 },
      ...{ 'canary.share': 0.4, 'canary.minVotes': 60, 'canary.margin': 0.25 },
    })
    onTestFinished(() => daemon.kill())
    const registry = new Registry(daemon.adapters, { by: 'test' })
    const evidence = (version: string) =>
      JSON.parse(readFileSync(join(daemon.adapters, version, 'canary.json'), 'utf8')) as CanaryReport
    const send = (...records: Parameters<typeof kafka.client.send>[1]) => kafka.client.send(TOPIC, records)
    const holds = (condition: (move: Move) => boolean) =>
      expect.poll(async () => condition(await registry.current()), { timeout: 60_000 }).toBe(true)

    daemon.start()
    await daemon.until(({ state }) => state === 'running')
    for (const version of ['live', 'canary'] as const) {
      await send(...votes(version === 'live' ? 0 : 16, 16))
      await daemon.until((status) => settled(status) && status.adapters?.[version] != null)
    }
    const first = await daemon.until(({ canary }) => canary !== null)
    const [live, canary] = [first.adapters!.live!, first.adapters!.canary!]

    const liked = await usersOf(daemon, 'live', 80)
    const tested = await usersOf(daemon, 'canary', 80)
    const early = [...opinions(liked.slice(0, 40), live, 4), ...opinions(tested.slice(0, 40), `bcod-${canary}`, 4)]
    // users of live who claim that the canary has answered them, and dislike it
    await send(...early, ...opinions(liked, canary, 1, { arm: 'canary', label: false }))
    await daemon.until((status) => canaryVotes(status) === 40)
    await expect.poll(() => daemon.metric('bcod_arm_votes_unmatched_total{reason="user"}')).toBe(80)
    await daemon.kill()
    daemon.start()
    // some were read again, and the publisher sends some again
    await send(...early.slice(0, 30), ...early.slice(50))
    const again = await daemon.until((status) => settled(status) && status.canary !== null)
    expect(again.arms).toMatchObject({ canary: { votes: 40, users: 40, up_ratio: 0.8 }, live: { votes: 40 } })

    await send(...opinions(liked.slice(40), live, 4), ...opinions(tested.slice(40), canary, 4))
    await holds(({ aliases }) => aliases.live === canary && aliases.canary !== null)
    const passed = evidence(canary)
    expect(passed).toMatchObject({ outcome: 'promoted', passed: true, against: live })
    for (const { votes: count, users } of [passed.canary, passed.live]) {
      expect([count >= 60, count <= 80, users === count]).toEqual([true, true, true])
    }
    await expect.poll(() => daemon.metric('bcod_canaries_total{outcome="promoted"}')).toBe(1)

    const next = (await registry.current()).aliases.canary as string
    await daemon.until((status) => settled(status) && status.canary?.version === next)
    const [others, annoyed] = [await usersOf(daemon, 'live', 80), await usersOf(daemon, 'canary', 80)]
    await daemon.kill()
    daemon.startToDieAt('move canary rolled back made')
    await daemon.until(({ state }) => state === 'running')
    await send(...opinions(others, canary, 4), ...opinions(annoyed, next, 1))
    expect(await daemon.exit()).toMatchObject({ signal: 'SIGKILL' })
    expect(evidence(next)).toMatchObject({ outcome: 'worse', passed: false, against: canary })
    expect(evidence(next).high).toBeLessThan(0)
    daemon.start()
    await daemon.until((status) => status.state === 'running' && status.adapters?.live === canary)
    const { states, aliases, frozen } = await registry.current()
    expect([states[next], aliases.live, frozen]).toEqual(['rolled_back', canary, false])
    // learning goes on, and the next version has its turn
    await send(...votes(5000, 16))
    await holds((move) => move.aliases.canary !== null && move.aliases.canary !== next)
    expect(await daemon.stop()).toBe(0)
  },
  600_000,
)
