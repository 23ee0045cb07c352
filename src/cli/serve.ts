import type { ConfigFor } from '../config/requirements.js'
import { adminVerbs } from '../daemon/admin-verbs.js'
import { Daemon } from '../daemon/daemon.js'
import { EventLoopWatch } from '../server/health.js'
import { StatusServer } from '../server/server.js'
import { kafkaConnection } from '../streams/kafka/connection.js'
import { KafkaFeedbackLog } from '../streams/kafka/log.js'
import { BuildInfo, ConfigLoaded, ExposureFound, Failed } from '../telemetry/events/daemon.js'
import { PortRefused } from '../telemetry/events/port.js'
import { createLogger } from '../telemetry/logger.js'
import { Metrics } from '../telemetry/metrics.js'
import { Telemetry } from '../telemetry/telemetry.js'
import type { Finding } from './doctor/finding.js'
import { exposureFindings } from './exposure-findings.js'
import { stopOnSignals } from './stop-on-signals.js'

/** What is still open when everything is closed may hold the process this long. */
const LINGER_MS = 500

/**
 * The daemon with its port, until it is stopped or fails.
 *
 * @param onStage   see `DaemonOptions`
 * @param findings  of the configuration; each is logged once
 */
export async function serve(
  config: ConfigFor<'run'>,
  acceptOlder: boolean,
  onStage?: (stage: string) => void,
  findings: readonly Finding[] = exposureFindings(config, undefined),
): Promise<void> {
  const telemetry = new Telemetry(createLogger(config.log.level), new Metrics())
  telemetry.metrics.collectProcess()
  telemetry.emit(new BuildInfo())
  telemetry.emit(new ConfigLoaded(config))
  for (const finding of findings) telemetry.emit(new ExposureFound(finding))
  const daemon = new Daemon({
    ...{ config, log: kafkaLog(config, telemetry), telemetry, acceptOlder },
    ...(onStage && { onStage }),
  })
  const watch = new EventLoopWatch()
  const server = new StatusServer(config.server, {
    metrics: () => telemetry.metrics.text(),
    live: () => [watch.check(), ...daemon.live()],
    ready: () => daemon.ready(),
    status: () => daemon.status(),
    routing: () => daemon.routing(),
    history: (since) => telemetry.history.answer(since),
    tap$: telemetry.tap.line$,
    failed: (error) => telemetry.emit(new Failed(error, false)),
    refused: (refusal) => telemetry.emit(new PortRefused(refusal)),
  })
  for (const [name, verb] of Object.entries(adminVerbs(daemon))) server.registerVerb(name, verb)
  await server.listen()
  const release = stopOnSignals(() => daemon.stop())
  try {
    await daemon.run()
  } finally {
    release()
    watch.close()
    await server.close()
    // calls to a broker that hangs end by their own time limit: nobody needs to wait for them
    setTimeout(() => process.exit(), LINGER_MS).unref()
  }
}

function kafkaLog({ stream, limits }: ConfigFor<'run'>, telemetry: Telemetry): KafkaFeedbackLog {
  const { topic, groupId, dlq, sessionTimeout } = stream
  return new KafkaFeedbackLog({
    ...kafkaConnection(stream),
    ...{ topic, groupId, dlq, sessionTimeout, maxBatchBytes: limits.maxBatchBytes },
    log: ({ level, message, fields }) => telemetry.logger[level]({ event: 'Kafka', ...fields }, message),
  })
}
