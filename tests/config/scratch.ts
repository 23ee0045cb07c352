import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { BcodError } from '../../src/errors.js'

/** Writes a file that lives as long as the test. */
export function scratchFile(name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-config-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

/** The coded error that `action` throws. */
export function refusal(action: () => unknown): BcodError {
  try {
    action()
  } catch (error) {
    if (error instanceof BcodError) return error
    throw error
  }
  throw new Error('nothing was refused')
}
