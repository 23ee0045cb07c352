import { isIPv6 } from 'node:net'

/** One of a bounded number of places that clients hold. */
export interface Place {
  /** As `addressGroup` gives it. */
  readonly group: string
}

/**
 * Whom an address counts for: itself, and for IPv6 its network of 64 bits, of which one machine may use every address.
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
 * Who makes room when all places are taken: of those who hold the most places, the one that has been there longest. So
 * a crowd displaces its own, and a newcomer always gets in: whoever asks a short question has its answer before a
 * crowd could have displaced it.
 *
 * @param places  the oldest first; the last is the newcomer, which stays
 * @param spared  those go only where all others of their group are spared too
 */
export function displaced<P extends Place>(places: readonly P[], spared: (place: P) => boolean): P | undefined {
  const sizes = new Map<string, number>()
  for (const { group } of places) sizes.set(group, (sizes.get(group) ?? 0) + 1)
  const most = Math.max(...sizes.values())
  const crowd = places.slice(0, -1).filter(({ group }) => sizes.get(group) === most)
  const candidates = crowd.length > 0 ? crowd : places.slice(0, -1)
  return candidates.find((place) => !spared(place)) ?? candidates[0]
}
