import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { Command, Option } from 'commander'
import { loadConfig } from '../config/config.js'
import { BcodError } from '../errors.js'
import { printableLine } from '../printable.js'
import { TAP_KINDS, type TapKind, type TapLine } from '../telemetry/tap-line.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { example, print } from './print.js'

interface TapFlags extends ConfigFlags {
  readonly url?: string
  readonly kind?: readonly TapKind[]
  readonly json?: boolean
}

/** `bcod tap`. */
export function tapCommand(): Command {
  return addConfigOptions(new Command('tap'))
    .description('print what happens to each vote of a running daemon, without its text')
    .option('--url <url>', 'address of the daemon (default: server.host and server.port of the configuration)')
    .addOption(new Option('--kind <kinds...>', 'only these').choices(TAP_KINDS))
    .option('--json', 'one JSON document a line')
    .addHelpText(
      'after',
      example('bcod tap --config bcod.yaml', 'bcod tap --url http://bcod-0:9464 --kind dropped dead_letter --json'),
    )
    .action(watch)
}

/** Prints until the daemon ends the stream. */
async function watch(flags: TapFlags): Promise<void> {
  const { TAP_PATH } = await import('../server/tap.js')
  const url = tapUrl(flags, TAP_PATH)
  const response = await fetch(url, { redirect: 'manual' }).catch((error: Error) => {
    throw unreachable(url, error.cause instanceof Error ? error.cause.message : error.message)
  })
  if (!response.ok || response.body === null) throw unreachable(url, `it answered with status ${response.status}`)
  const wanted = new Set<string>(flags.kind ?? TAP_KINDS)
  try {
    for await (const text of createInterface({ input: Readable.fromWeb(response.body) })) {
      const line = JSON.parse(text) as TapLine
      if (wanted.has(line.kind)) print(flags.json ? text : pretty(line))
    }
  } catch (error) {
    throw unreachable(url, `the connection broke (${(error as Error).message})`)
  }
}

function tapUrl(flags: TapFlags, path: string): string {
  if (flags.url !== undefined && !URL.canParse(flags.url))
    throw new BcodError('USAGE', 'expected a URL such as http://127.0.0.1:9464', { place: '--url' })
  if (flags.url?.includes('@')) throw new BcodError('USAGE', 'expected a URL without a user name', { place: '--url' })
  if (flags.url !== undefined) return new URL(path, flags.url).href
  const { host, port } = loadConfig(sourcesOf(flags)).server
  return `http://${host === '0.0.0.0' ? '127.0.0.1' : host}:${port}${path}`
}

const KIND_WIDTH = Math.max(...TAP_KINDS.map(({ length }) => length))

/** `14:03:22.123  dropped      feedback-0@17  reason=repeat` */
function pretty({ kind, time, topic, partition, offset, ...fields }: TapLine): string {
  const place = offset === undefined ? [] : [`${topic}-${partition}@${offset}`]
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${value}`)
  return printableLine([String(time).slice(11, 23), kind.padEnd(KIND_WIDTH), ...place, ...rest].join('  '))
}

const unreachable = (place: string, message: string): BcodError =>
  new BcodError('DAEMON_UNREACHABLE', message, { place })
