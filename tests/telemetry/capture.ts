import { Writable } from 'node:stream'
import { createLogger, type LogLevel } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'

/** A telemetry whose log lines are kept, parsed. */
export function capture(level: LogLevel = 'trace') {
  const lines: Record<string, unknown>[] = []
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    },
  })
  const metrics = new Metrics()
  const telemetry = new Telemetry(createLogger(level, stream), metrics)
  return { telemetry, metrics, lines, sample: (name: string) => sample(metrics, name) }
}

/** The value of one sample line, such as `bcod_delta` or `bcod_lifecycle_state{state="running"}`; null where absent. */
async function sample(metrics: Metrics, name: string): Promise<number | null> {
  const line = (await metrics.text()).split('\n').find((text) => text.startsWith(`${name} `))
  return line === undefined ? null : Number(line.slice(name.length + 1))
}
