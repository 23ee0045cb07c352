import fc from 'fast-check'
import { expect, it } from 'vitest'
import { affordableConnections } from '../../src/server/connections.js'
import { addressGroup, displaced } from '../../src/server/crowd.js'

const places = (...groups: readonly string[]) => groups.map((group, at) => ({ group, at }))
const none = () => false

it.each([
  ['10.0.0.1', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
  ['2001:db8::6', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  [undefined, 'unknown'],
])('%s counts for %s', (address, group) => {
  expect(addressGroup(address)).toBe(group)
})

it('of those who hold most places, who has been there longest makes room', () => {
  expect(displaced(places('a', 'b', 'b', 'b', 'c'), none)).toMatchObject({ group: 'b', at: 1 })
  expect(displaced(places('a', 'b', 'c'), none)).toMatchObject({ at: 0 })
  expect(displaced(places('a', 'a', 'a'), none)).toMatchObject({ at: 0 })
})

it('who is spared makes room last', () => {
  expect(displaced(places('a', 'a', 'a', 'b'), ({ at }) => at === 0)).toMatchObject({ at: 1 })
  expect(displaced(places('a', 'a', 'b'), ({ group }) => group === 'a')).toMatchObject({ at: 0 })
})

it('the newcomer stays, and nobody of a smaller group goes before one of a larger', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { minLength: 2, maxLength: 30 }), (groups) => {
      const all = places(...groups)
      const victim = displaced(all, none)!
      expect(victim.at).toBeLessThan(groups.length - 1)
      const older = groups.slice(0, -1)
      const size = (group: string) => groups.filter((each) => each === group).length
      const crowds = older.filter((group) => size(group) === Math.max(...groups.map(size)))
      if (crowds.length > 0) expect(crowds).toContain(victim.group)
    }),
  )
})

it('the port takes at most a quarter of the descriptors', () => {
  expect(affordableConnections(128, Infinity)).toBe(128)
  expect(affordableConnections(128, 1024)).toBe(128)
  expect(affordableConnections(128, 256)).toBe(64)
  expect(affordableConnections(8, 2)).toBe(1)
})
