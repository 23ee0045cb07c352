import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { endText } from '../../src/demo/kafka/process-end.js'

export interface Ended {
  /** −1 where a signal ended it: `stderr` then says which. */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command line in a process of its own, without a configuration from the environment. */
export function bcod(...args: readonly string[]): Promise<Ended> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BCOD|NODE|VITEST)_/.test(name)))
  return new Promise((resolve) => {
    execFile(process.execPath, ['dist/cli.js', ...args], { env, timeout: 240_000 }, (error, stdout, stderr) => {
      if (error === null) return resolve({ code: 0, stdout, stderr })
      if (typeof error.code === 'number') return resolve({ code: error.code, stdout, stderr })
      const signal = (error.signal ?? null) as NodeJS.Signals | null
      resolve({ code: -1, stdout, stderr: `${stderr}\nbcod ${endText({ code: null, signal })}` })
    })
  })
}

/** The JSON document that `--json` puts on the last line of stdout. */
export const documentOf = ({ stdout }: Ended): Record<string, unknown> =>
  JSON.parse(stdout.trimEnd().split('\n').at(-1)!)

/** A directory that goes away with the test. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-cli-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A file of JSON rows, one a line; strings go in as they are. */
export function jsonl(directory: string, name: string, rows: readonly unknown[]): string {
  const path = join(directory, name)
  writeFileSync(path, rows.map((row) => `${typeof row === 'string' ? row : JSON.stringify(row)}\n`).join(''))
  return path
}

export const linesOf = (text: string): readonly Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
