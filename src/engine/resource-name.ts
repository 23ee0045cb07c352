import { STATE_CONTAINER, WEIGHTS_CONTAINER } from './cluster/containers.js'
import { atPlace, type Places } from './places.js'
import type { Variable } from './variable.js'

/**
 * What a server calls a variable. A session of this process has its own. What servers of a cluster keep outlives sessions
 * and leaders: so what programs write has the session's generation in its name, and a worker that comes back and goes on
 * with an old request meets nothing of a newer session; and frozen weights have a name that says what they are.
 */
export function resourceName(
  { name, keptAs }: Variable,
  place: number,
  { generation }: Places,
): { readonly container: string; readonly sharedName: string } {
  const here = atPlace(place, name)
  if (generation === undefined) return { container: '', sharedName: here }
  if (keptAs !== undefined) return { container: WEIGHTS_CONTAINER, sharedName: keptAs }
  return { container: STATE_CONTAINER, sharedName: `${generation}/${here}` }
}
