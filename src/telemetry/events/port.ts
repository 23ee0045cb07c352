import type { Refusal } from '../../server/refusals.js'
import type { LogLimit } from '../log-limit.js'
import type { Metrics } from '../metrics.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

const MESSAGES: Readonly<Record<Refusal['reason'], string>> = {
  host: 'a request under a name that is not in server.allowedHosts',
  token: 'a wrong admin token',
  watcher: 'a watcher of /v1/tap had to make room for a newer one',
  connection: 'a connection had to make room for a newer one: server.maxConnections were open',
  pipelining: 'a connection sent request after request without waiting for the answers',
  accept: 'a connection could not be accepted: no descriptor is free',
}

/** The status server turned a request, a watcher or a connection away. */
export class PortRefused extends InternalEvent {
  constructor(readonly refusal: Refusal) {
    super()
  }
  log(): LogLine {
    const { reason, address } = this.refusal
    return { level: 'warn', msg: MESSAGES[reason], reason, address }
  }
  /** Repeated attempts must not fill the disk. */
  override limit(): LogLimit {
    return { kind: `http_refused_${this.refusal.reason}`, lines: 1, seconds: 10 }
  }
  override count(metrics: Metrics): void {
    metrics.daemon.httpRefused.inc({ reason: this.refusal.reason })
  }
}
