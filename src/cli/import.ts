import { Command, Option } from 'commander'
import { FORMATS } from '../import/formats.js'
import { SOURCES } from '../import/pull/sources.js'
import { addConfigOptions } from './config-options.js'
import type { ImportFlags } from './import/flags.js'
import { example } from './print.js'

/** `bcod import`. */
export function importCommand(): Command {
  return addConfigOptions(new Command('import'))
    .description('votes of other products as feedback events, into a file or the topic')
    .addOption(
      new Option('--from <format>', 'what wrote the votes')
        .choices(FORMATS.map(({ name }) => name))
        .makeOptionMandatory(),
    )
    .option('--file <files...>', 'the export: JSON Lines, a JSON array, or an object of lists')
    .option('--url <url>', `ask the product itself: ${SOURCES.map(({ format }) => format).join(', ')}`)
    .option('--key-file <file>', "file with the product's API key (default: BCOD_IMPORT_KEY)")
    .option('--project <name>', 'with --url: only this project or experiment')
    .option('--out <file.jsonl>', 'write the events there, whole or not at all (default: publish to stream.topic)')
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
    .option('--state <file>', 'remember what was imported, and import only what is new or changed')
    .option('--complete', 'the export has every vote: take back those of --state that it lacks')
    .option('--follow', 'with --url and --state: ask again and again, until SIGINT or SIGTERM')
    .option('--every <duration>', 'with --follow: how often (default: 1m)')
    .option('--overlap <duration>', "with --url: how far each turn looks back (default: the product's)")
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
  'bcod import --from open-webui --file feedback-export.json --config bcod.yaml --state open-webui.state --complete',
  'bcod import --from langfuse --url https://cloud.langfuse.com --key-file key --config bcod.yaml --state lf --follow',
)}`,
    )
    .action(async (flags: ImportFlags) => {
      if (flags.follow) return (await import('./import/follow.js')).follow(flags)
      return (await import('./import/once.js')).importOnce(flags)
    })
}
