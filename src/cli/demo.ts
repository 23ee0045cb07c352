import { Command, InvalidArgumentError } from 'commander'
import { loadConfig } from '../config/config.js'
import type { DemoRow } from '../demo/closed-loop.js'
import type { TaughtSummary } from '../demo/demo.js'
import { demoDefaults } from '../demo/settings.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { toldOf } from './demo-burst.js'
import { clearProgress, progress as overwrite, print, printJson, say } from './print.js'

interface DemoFlags extends ConfigFlags {
  readonly events: number
  readonly seed?: number
  readonly kafka?: boolean
  readonly json?: boolean
  readonly keep?: string
}

/** `bcod demo`: the main job, closed-loop, with nothing else installed. */
export function demoCommand(): Command {
  return addConfigOptions(new Command('demo'))
    .description('simulated users vote on the answers of a small embedded model: watch it learn what they like')
    .option('--events <n>', 'votes to collect', count, 600)
    .option('--seed <n>', 'seed of users, sampling and adapter', count)
    .option(
      '--kafka',
      'over a real Kafka broker, started for the demo (needs Java 17 and `node scripts/setup.mjs --tests`)',
    )
    .option('--keep <dir>', 'keep checkpoints and adapters there')
    .option('--json', 'print one JSON document as the last line of stdout')
    .addHelpText(
      'after',
      '\nExamples:\n  bcod demo\n  bcod demo --events 600 --seed 7 --json\n  bcod demo --set bco.beta=0',
    )
    .action(async (flags: DemoFlags) => {
      const sources = sourcesOf(flags)
      const seed = flags.seed === undefined ? [] : [`seed=${flags.seed}`]
      const config = loadConfig({
        ...sources,
        defaults: demoDefaults(flags.events),
        set: [...(sources.set ?? []), ...seed],
      })
      const { runDemo } = await import('../demo/demo.js')
      const { openEmbeddedLog, openKafkaLog } = await import('../demo/logs.js')
      const { createLogger } = await import('../telemetry/logger.js')
      const { Metrics } = await import('../telemetry/metrics.js')
      const { Telemetry } = await import('../telemetry/telemetry.js')
      const table = new LiveTable()
      const progress = flags.json ? progressLine() : (row: DemoRow) => table.show(row)
      const summary = await runDemo({
        events: flags.events,
        config,
        telemetry: new Telemetry(createLogger(config.log.level), new Metrics()),
        openLog: flags.kafka ? openKafkaLog : openEmbeddedLog,
        keep: flags.keep ?? null,
        progress,
        taught: (taught) => flags.json || print(closing(taught)),
        burst: (news) => (flags.json ? say : print)(toldOf(news)),
      })
      if (flags.json) printJson(summary)
    })
}

function count(value: string): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('expected a whole number, 0 or more')
  return number
}

const percent = (rate: number) => `${Math.round(100 * rate)} %`.padStart(5)
const number = (value: number | null | undefined) =>
  (value === null || value === undefined ? '–' : value.toFixed(3)).padStart(8)
const remaining = ({ events, total, secondsLeft }: DemoRow) =>
  `${events} of ${total} votes, ${Math.ceil(secondsLeft)} s left`

/** One line that overwrites itself where stderr is a terminal, a line for each tenth elsewhere. */
function progressLine(): (row: DemoRow) => void {
  let tenths = 0
  return (row) => {
    const now = Math.floor((10 * row.events) / row.total)
    if (process.stderr.isTTY) overwrite('stderr', `${remaining(row)}  `, row.events >= row.total)
    else if (now > tenths) say(remaining(row))
    tenths = now
  }
}

/** A row for every round of votes, and below it how long it will still take. */
class LiveTable {
  #begun = false

  show(row: DemoRow): void {
    if (!this.#begun) {
      this.#begun = true
      print('  votes   step     loss       δ   margin   weight   liked now   liked on unseen prompts')
    }
    if (process.stdout.isTTY) clearProgress('stdout')
    const { step } = row
    const margin =
      step?.rewardUpMean == null || step.rewardDownMean == null ? null : step.rewardUpMean - step.rewardDownMean
    print(
      [
        String(row.events).padStart(7),
        String(step?.step ?? 0).padStart(6),
        number(step?.loss),
        number(step?.delta),
        number(margin),
        number(step?.densityRatioMean),
        `     ${percent(row.upRate)}`,
        `       ${percent(row.unseenRate)}`,
      ].join(' '),
    )
    if (process.stdout.isTTY) overwrite('stdout', remaining(row))
    if (process.stdout.isTTY && row.events >= row.total) clearProgress('stdout')
  }
}

const closing = (s: TaughtSummary) => `
Good answers: ${percent(s.up_rate_first).trim()} of the first tenth, ${percent(s.up_rate_last).trim()} of the last.
On prompts that never trained: ${percent(s.unseen_rate_first).trim()} before, ${percent(s.unseen_rate_last).trim()} after.
${s.steps} steps, adapter ${s.adapter} (sha256 ${s.adapter_sha256.slice(0, 12)}), ${s.seconds} s.`
