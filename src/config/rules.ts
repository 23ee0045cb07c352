import { canaryRules } from './canary-rules.js'
import { deviceRules } from './devices.js'
import { exposureRules } from './exposure-rules.js'
import { gateRules } from './gate-rules.js'
import { gatewayRules } from './gateway-rules.js'
import type { Problem } from './problem.js'
import { publishRules } from './publish-rules.js'
import type { Config } from './schema.js'
import { storeRules } from './store-rules.js'
import { workerRules } from './worker-rules.js'

/** What must hold between keys, each of which is right by itself. */
export function contradictions(config: Config): readonly Problem[] {
  return [
    ...scheduleRules(config),
    ...tlsRules(config),
    ...saslRules(config),
    ...batchRules(config),
    ...deviceRules(config),
    ...shardRules(config),
    ...embeddingRules(config),
    ...publishRules(config),
    ...exposureRules(config),
    ...gateRules(config),
    ...storeRules(config),
    ...canaryRules(config),
    ...gatewayRules(config),
    ...workerRules(config),
  ]
}

function* scheduleRules({ optimizer }: Config): Generator<Problem> {
  const { schedule, totalSteps, warmupSteps } = optimizer
  if (schedule !== 'constant' && totalSteps === null) {
    yield { key: 'optimizer.totalSteps', text: `required with optimizer.schedule=${schedule}` }
  }
  if (totalSteps !== null && warmupSteps > totalSteps) {
    yield {
      key: 'optimizer.warmupSteps',
      text: `expected at most optimizer.totalSteps (${totalSteps}), got ${warmupSteps}`,
    }
  }
}

function* tlsRules({ stream }: Config): Generator<Problem> {
  const { enabled, ca, cert, key } = stream.tls
  if (!enabled && (ca ?? cert ?? key) !== null) {
    yield { key: 'stream.tls.enabled', text: 'must be true if stream.tls.ca, cert or key is set' }
  }
  if (cert === null && key !== null) yield { key: 'stream.tls.cert', text: 'required with stream.tls.key' }
  if (cert !== null && key === null) yield { key: 'stream.tls.key', text: 'required with stream.tls.cert' }
}

function* saslRules({ stream }: Config): Generator<Problem> {
  const { mechanism, username, password, tokenEndpoint, tokenScope, tokenFile } = stream.sasl
  if (mechanism === null && (username ?? password) !== null) {
    yield { key: 'stream.sasl.mechanism', text: 'required if stream.sasl.username or password is set' }
  }
  if (mechanism !== 'oauthbearer' && (tokenEndpoint ?? tokenScope ?? tokenFile) !== null) {
    yield { key: 'stream.sasl.mechanism', text: 'must be oauthbearer if stream.sasl.token… is set' }
  }
  if (mechanism === 'oauthbearer' && (tokenEndpoint === null) === (tokenFile === null)) {
    yield { key: 'stream.sasl.tokenEndpoint', text: 'oauthbearer needs either this or stream.sasl.tokenFile' }
  }
  if (mechanism === null || tokenFile !== null) return
  if (username === null) yield { key: 'stream.sasl.username', text: 'required with stream.sasl.mechanism' }
  if (password === null) yield { key: 'stream.sasl.password', text: 'required with stream.sasl.mechanism' }
}

function* shardRules({ stream }: Config): Generator<Problem> {
  const { shard, shards } = stream
  if (shard >= shards) yield { key: 'stream.shard', text: `expected below stream.shards (${shards}), got ${shard}` }
}

function* embeddingRules({ ratio }: Config): Generator<Problem> {
  if (ratio.embedder !== 'endpoint' || ratio.mode === 'off') return
  if (ratio.embeddingModel === null)
    yield { key: 'ratio.embeddingModel', text: 'required with ratio.embedder=endpoint' }
}

function* batchRules({ batch, stream }: Config): Generator<Problem> {
  const { size } = batch
  if (stream.pendingEvents < size) {
    yield { key: 'stream.pendingEvents', text: `expected at least batch.size (${size}), got ${stream.pendingEvents}` }
  }
}
