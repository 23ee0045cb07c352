import { resolve } from 'node:path'
import type { RegistryState } from '../../adapters/moves/move.js'
import type { Registry, RegistryOptions } from '../../adapters/registry/registry.js'
import type { Config } from '../../config/config.js'
import { wantedVersions } from '../../daemon/adapters/wanted-versions.js'
import { BcodError } from '../../errors.js'
import { Serving } from '../../serving/serving.js'
import { say } from '../print.js'

/** How long a rollback waits for one answer of a server. Milliseconds. */
const LONGEST_BEFORE_ROLLBACK = 3_000

/** What a served version must answer. */
const PROMPT = [1, 2, 3]

/**
 * Has every server of `publish.targets` load a version, list it and answer a prompt under its name before an alias moves.
 * Numbers are not compared, because a command has no learner: the daemon does it at its next look. A rollback moves
 * although a server fails.
 *
 * @param registry  asked when something is loaded
 */
export function loadOnServers(
  { publish, adapters }: Pick<Config, 'publish' | 'adapters'>,
  registry: () => Registry,
): Required<Pick<RegistryOptions, 'serve' | 'withdraw'>> {
  let state: RegistryState | null = null
  const look = async () => {
    state = await registry().current()
  }
  const servingFor = (timeout: number) =>
    new Serving({
      ...{ targets: publish.targets, options: { apiKey: publish.apiKey, timeout } },
      directory: resolve(adapters.dir as string),
      prepare: (version) => registry().files.local(version),
      attester: {
        attest: async ({ server, served: name }) => void (await server.likeliest({ name, isBase: false }, PROMPT)),
        keepOnly: () => undefined,
      },
      wanted: () => (state === null ? [] : wantedVersions(state, publish.keepLoaded)),
      ...{ pending: () => () => true, looked: () => undefined, gone: () => undefined, failed: () => undefined },
    })
  return {
    serve: async (version, cause) => {
      await look()
      if (cause !== 'rolled back') return servingFor(publish.timeout).publish(version)
      const timeout = Math.min(publish.timeout, LONGEST_BEFORE_ROLLBACK)
      await servingFor(timeout)
        .publishWherePossible(version)
        .catch((error: unknown) => {
          if (!(error instanceof BcodError)) throw error
          say(
            `warning: ${error.line}. It is rolled back all the same: keep requests from servers that lack ${version}.`,
          )
        })
    },
    withdraw: async (version) => {
      await look()
      await servingFor(publish.timeout).withdraw(version)
    },
  }
}
