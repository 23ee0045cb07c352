import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { lookAtServer, type ServerFacts } from '../../serving/facts.js'
import { findReplicas, type Replica } from '../../serving/replicas.js'
import { type Finding, fail, pass, warn } from '../doctor/finding.js'

/** A check does not wait as long as a daemon does. Milliseconds. */
const LONGEST_WAIT = 10_000

/** The servers of `publish.targets`, one finding or more for each. Nothing is loaded. */
export async function checkServers({ publish, canary }: Config): Promise<readonly Finding[]> {
  const options = { apiKey: publish.apiKey, timeout: Math.min(publish.timeout, LONGEST_WAIT) }
  const { replicas, errors } = await findReplicas(publish.targets, options)
  const { share, controlShare, control } = canary
  const arms = (share > 0 ? 1 : 0) + (controlShare > 0 && control !== 'base' ? 1 : 0)
  const looked = await Promise.all(replicas.map((replica) => checkServer(replica, 2 + arms)))
  return [...errors.map((error) => failed('servers', error)), ...looked.flat()]
}

/** @param versions  that are asked for at the same time: the live one and the one before it, and those of other arms */
async function checkServer(replica: Replica, versions: number): Promise<readonly Finding[]> {
  const name = `server ${replica.id}`
  let facts: ServerFacts
  try {
    facts = await lookAtServer(replica)
  } catch (error) {
    return [failed(name, error)]
  }
  const { base, loaded, loadsAtRunTime, maxLoras, opensAdapters, takesKey } = facts
  const served = loaded.length === 0 ? 'no version yet' : loaded.join(', ')
  return [
    pass(name, `base model ${base}, ${served}`),
    ...(loadsAtRunTime === false
      ? [fail(name, 'it loads no adapters while it runs', 'Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True.')]
      : []),
    ...(maxLoras !== null && maxLoras < versions
      ? [
          warn(
            name,
            `--max-loras is ${maxLoras}: requests for a new version wait until all on the old one have ended`,
            `Start vLLM with --max-loras ${versions} or more.`,
          ),
        ]
      : []),
    ...(takesKey ? [] : [warn(name, 'it asks for no API key: whoever reaches it may load adapters', KEY_REMEDY)]),
    ...(takesKey && opensAdapters
      ? [
          warn(
            name,
            'POST and DELETE /adapters load and unload adapters without the API key',
            'Let nobody but bcod and your gateway reach the port: a NetworkPolicy, or a proxy that passes /v1 alone.',
          ),
        ]
      : []),
  ]
}

const KEY_REMEDY = 'Start it with --api-key, and set publish.apiKey; or keep its port to bcod and your gateway.'

function failed(name: string, error: unknown): Finding {
  if (!(error instanceof BcodError)) throw error
  return fail(name, error.line, error.remedy)
}
