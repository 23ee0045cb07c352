import { Command, Option } from 'commander'
import { loadConfig } from '../config/config.js'
import { BcodError } from '../errors.js'
import { hashedUser } from '../events/hashed-user.js'
import { DEFAULT_MAX_LINE_BYTES } from '../events/jsonl.js'
import { eventsOf } from '../import/events.js'
import type { Format, ReadOptions } from '../import/format.js'
import { FORMATS } from '../import/formats.js'
import { writeEvents } from '../import/out-file.js'
import { type ImportReport, ReportBuilder } from '../import/report.js'
import { fileRows } from '../import/rows.js'
import { SKIP_REASONS } from '../import/vote.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { keepInput } from './output.js'
import { example, print, printJson, printTable } from './print.js'

interface ImportFlags extends ConfigFlags, ReadOptions {
  readonly from: string
  readonly file: readonly string[]
  readonly out: string
  readonly source?: string
  readonly since?: string
  readonly model?: readonly string[]
  readonly users: 'hash' | 'none'
  readonly withoutContext?: boolean
  readonly json?: boolean
}

/** `bcod import`. */
export function importCommand(): Command {
  return addConfigOptions(new Command('import'))
    .description('votes of other products as feedback events')
    .addOption(
      new Option('--from <format>', 'what wrote the votes')
        .choices(FORMATS.map(({ name }) => name))
        .makeOptionMandatory(),
    )
    .requiredOption('--file <files...>', 'the export: JSON Lines, a JSON array, or an object of lists')
    .requiredOption('--out <file.jsonl>', 'where the events go; whole, or as it was')
    .option('--name <name>', "the score, key, annotation or question that is the vote (default: the format's)")
    .option('--up <values...>', 'values that are a thumbs-up (default: true, 1, good, yes, thumbs-up and the like)')
    .option('--down <values...>', 'values that are a thumbs-down; others are no votes')
    .option('--prompt-field <name>', 'field of a task that holds what was asked, a text or messages')
    .option('--answer-field <name>', 'field of a task that holds the answer')
    .option('--source <name>', "the events' source (default: the format)")
    .option('--since <time>', 'skip votes before it, such as 2026-03-01 or 2026-03-01T12:00:00Z')
    .option('--model <names...>', 'only votes on answers of these models')
    .addOption(
      new Option('--users <how>', "hash: users' ids hashed with gateway.userSalt; none: left out")
        .choices(['hash', 'none'])
        .default('hash'),
    )
    .option('--without-context', 'take also answers for which the model was shown documents that the export lacks')
    .option('--json', 'report as one JSON document')
    .addHelpText(
      'after',
      `
Formats:
${FORMATS.map(({ name, what }) => `  ${name.padEnd(14)} ${what}`).join('\n')}

The same export gives the same event ids, however often it is imported. docs/import.md has the traps of each format.
${example(
  'bcod import --from open-webui --file feedback-export.json --out events.jsonl',
  'bcod import --from preference --file pairs.jsonl --out events.jsonl --json',
)}`,
    )
    .action(importVotes)
}

async function importVotes(flags: ImportFlags): Promise<void> {
  const { file, out, json } = flags
  for (const path of file) keepInput(out, path)
  const format = FORMATS.find(({ name }) => name === flags.from) as Format
  const source = flags.source ?? format.name
  const report = new ReportBuilder(format.name, source)
  const options = { source, userOf: userOf(flags), maxBytes: DEFAULT_MAX_LINE_BYTES, ...choice(flags) }
  const found = format.read(fileRows(file, format.lists), flags)
  await writeEvents(out, eventsOf(found, options, report))
  const done = report.report()
  if (json) return printJson({ ...done, out })
  printReport(done, out)
}

function choice({ since, model, withoutContext = false }: ImportFlags) {
  return { ...(since !== undefined && { since: timeOf(since) }), ...(model && { models: model }), withoutContext }
}

function timeOf(since: string): number {
  const time = Date.parse(since)
  if (Number.isNaN(time)) throw new BcodError('USAGE', 'expected a date or an RFC 3339 time', { place: '--since' })
  return time
}

/** @throws CONFIG_MISSING at the first user, so that files without users need no salt */
function userOf(flags: ImportFlags): (user: string) => string | null {
  if (flags.users === 'none') return () => null
  const salt = loadConfig(sourcesOf(flags)).gateway.userSalt
  return (user) => {
    if (salt !== null) return hashedUser(user, salt)
    throw new BcodError('CONFIG_MISSING', "users' ids are hashed with it, and there are users in the export", {
      place: 'gateway.userSalt',
      remedy:
        'Set BCOD_GATEWAY_USER_SALT to a random text and keep it (openssl rand -hex 32): another salt makes other users. Or leave users out with --users none.',
    })
  }
}

/** So many records of each reason are named on a terminal. */
const NAMED = 5

function printReport(report: ImportReport, target: string): void {
  printTable([
    ['events', `${report.events}: ${report.up} up, ${report.down} down, ${report.retracted} taken back`],
    ['users', String(report.users)],
    ['skipped', String(report.skipped)],
    ['written to', target],
  ])
  for (const [reason, meaning] of Object.entries(SKIP_REASONS)) {
    const records = report.skipped_records.filter((record) => record.reason === reason)
    if (records.length === 0) continue
    const count = report.skipped_by_reason[reason as keyof typeof SKIP_REASONS] ?? 0
    print(`\n${count} ${reason}: ${meaning}`)
    for (const { place, detail } of records.slice(0, NAMED)) print(`  ${place}${detail ? `  ${detail}` : ''}`)
    if (count > NAMED) print(`  … ${count - NAMED} more; --json names the first 100`)
  }
}
