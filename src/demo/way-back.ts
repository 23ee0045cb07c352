import { versionStep } from '../adapters/versions/version.js'
import type { Daemon } from '../daemon/daemon.js'
import type { Shop } from './shop.js'

/** Has a daemon go on from an older version, as `bcod adapters resume --from VERSION` does, and waits until it has. */
export async function goOnFrom(
  version: string,
  { adapters }: Pick<Daemon, 'adapters'>,
  shop: Pick<Shop, 'until'>,
): Promise<void> {
  const { registry, checkpoints, moved } = adapters
  await checkpoints.wholeOfStep(versionStep(version) ?? -1)
  await registry.resumeFrom(version)
  await moved()
  await shop.until(async () => !(await registry.current()).frozen)
}
