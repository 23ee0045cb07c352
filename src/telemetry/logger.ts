import { type DestinationStream, destination, type Logger, pino, stdTimeFunctions } from 'pino'
import { VERSION } from './version.js'

export type { Logger } from 'pino'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/** JSON lines on stderr, written before the call returns, so that a crash loses none. Nobody passes user text. */
export function createLogger(
  level: LogLevel,
  stream: DestinationStream = destination({ dest: 2, sync: true }),
): Logger {
  return pino(
    {
      level,
      base: { service: 'bcod', version: VERSION, pid: process.pid },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  )
}
