import { join } from 'node:path'
import type { FeedbackDraft } from '../../src/events/encode.js'
import { type ChoiceOptions, eventsOf } from '../../src/import/events.js'
import type { ReadOptions } from '../../src/import/format.js'
import { FORMATS } from '../../src/import/formats.js'
import { type ImportReport, ReportBuilder } from '../../src/import/report.js'
import { fileRows } from '../../src/import/rows.js'

export const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name)

export interface Reading {
  readonly events: readonly FeedbackDraft[]
  readonly report: ImportReport
}

/** Everything that a format makes of files. Users keep their names. */
export async function reading(
  name: string,
  paths: readonly string[],
  options: ReadOptions & Partial<ChoiceOptions> = {},
): Promise<Reading> {
  const format = FORMATS.find((each) => each.name === name)
  if (format === undefined) throw new Error(`no format ${name}`)
  const report = new ReportBuilder(name, name)
  const found = format.read(fileRows(paths, format.lists), options)
  const events: FeedbackDraft[] = []
  const choice = { source: name, userOf: (user: string) => user, maxBytes: 2 ** 20, ...options }
  for await (const event of eventsOf(found, choice, report)) events.push(event)
  return { events, report: report.report() }
}

/** An event in few words: label, user, the roles and texts of the prompt, the completion. */
export function plain({ label, user, prompt, completion }: FeedbackDraft): readonly unknown[] {
  return [label, user, said(prompt), said(completion)]
}

function said(content: FeedbackDraft['prompt']): unknown {
  if (content.kind === 'messages') return content.messages.map(({ role, content: text }) => `${role}: ${text}`)
  return content.kind === 'text' ? content.text : content.tokens
}
