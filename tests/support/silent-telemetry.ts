import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { type InternalEvent, Telemetry } from '../../src/telemetry/telemetry.js'

/** Telemetry without a log that keeps the names of what happened. */
export class SilentTelemetry extends Telemetry {
  readonly names: string[] = []

  constructor() {
    super(createLogger('silent'), new Metrics())
  }

  override emit(event: InternalEvent): void {
    this.names.push(event.constructor.name)
    super.emit(event)
  }
}
