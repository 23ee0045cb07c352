import type { RefusalReport } from '../../server/refusals.js'
import type { Metrics } from '../metrics.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

const WHAT: Readonly<Record<RefusalReport['reason'], string>> = {
  host: 'a request under a name that is not in server.allowedHosts',
  token: 'a wrong admin token',
  watcher: 'a watcher of /v1/tap had to make room for a newer one',
  connection: 'a connection had to make room for a newer one: server.maxConnections were open',
  accept: 'a connection could not be accepted: no descriptor is free',
}

/** The status server turned a request, a watcher or a connection away. At most one line in ten seconds for each reason. */
export class PortRefused extends InternalEvent {
  constructor(readonly refusal: RefusalReport) {
    super()
  }
  log(): LogLine | null {
    const { reason, address, sinceLogged } = this.refusal
    if (sinceLogged === null) return null
    return { level: 'warn', msg: WHAT[reason], reason, address, times: sinceLogged }
  }
  override count(metrics: Metrics): void {
    metrics.httpRefused.inc({ reason: this.refusal.reason })
  }
}
