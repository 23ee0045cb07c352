import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { FeedbackDraft } from '../../src/events/encode.js'
import { type ChoiceOptions, eventsOf } from '../../src/import/events.js'
import { fileRows } from '../../src/import/files.js'
import type { ReadOptions } from '../../src/import/format.js'
import { FORMATS } from '../../src/import/formats.js'
import { type ImportReport, ReportBuilder } from '../../src/import/report.js'

export const fixture = (name: string): string => join(import.meta.dirname, 'fixtures', name)

/** A file of the text, or of the rows as JSON Lines, for one test. */
export function written(content: string | Buffer | readonly unknown[], name = 'export.json'): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-import-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, name)
  const isWhole = typeof content === 'string' || Buffer.isBuffer(content)
  writeFileSync(path, isWhole ? content : content.map((row) => JSON.stringify(row)).join('\n'))
  return path
}

/** What a format makes of one document. */
export async function fromDocument(
  name: string,
  document: unknown,
  options: ReadOptions & Partial<ChoiceOptions> = {},
): Promise<{
  readonly events: readonly unknown[]
  readonly skipped: unknown
  readonly drafts: readonly FeedbackDraft[]
}> {
  const { events, report } = await reading(name, [written(JSON.stringify(document, null, 1))], options)
  return { events: events.map(plain), skipped: report.skipped_by_reason, drafts: events }
}

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
  const found = format.read(fileRows(paths, format), options)
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
