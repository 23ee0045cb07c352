import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where set-up keeps libtensorflow, the addon and the Kafka jars. An empty variable counts as not set. */
export function cacheDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  return environment.BCOD_CACHE || join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bcod')
}
