import { isIPv6 } from 'node:net'

/** One of a bounded number of connections or streams. */
export interface Place {
  /** As `addressGroup` gives it. */
  readonly group: string
}

/**
 * The group that an address belongs to: itself, or for IPv6 its /64 network, as one machine can use all its addresses.
 * `::ffff:1.2.3.4` is the IPv4 address in it.
 */
export function addressGroup(address: string | undefined): string {
  const plain = (address ?? 'unknown').replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail] = plain.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail ? tail.split(':') : []
  const zeros = tail === undefined ? [] : Array<string>(8 - left.length - right.length).fill('0')
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`
}

/**
 * The place to end when all are taken: the oldest of the group that holds the most. A crowd thus displaces its own
 * connections, and a newcomer always gets in: a short request is answered before a crowd could displace it.
 *
 * @param places  the oldest first; the last is the newcomer, which stays
 * @param spared  whether a place is ended only if all others of its group are spared too
 */
export function displaced<P extends Place>(places: readonly P[], spared: (place: P) => boolean): P | undefined {
  const sizes = new Map<string, number>()
  for (const { group } of places) sizes.set(group, (sizes.get(group) ?? 0) + 1)
  const most = Math.max(...sizes.values())
  const crowd = places.slice(0, -1).filter(({ group }) => sizes.get(group) === most)
  const candidates = crowd.length > 0 ? crowd : places.slice(0, -1)
  return candidates.find((place) => !spared(place)) ?? candidates[0]
}
