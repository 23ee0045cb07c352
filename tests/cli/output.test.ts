import { linkSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keepInput, writing } from '../../src/cli/output.js'

describe('where results go', () => {
  let directory: string
  let input: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'bcod-output-'))
    input = join(directory, 'pairs.jsonl')
    writeFileSync(input, '{}\n')
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it.each<[string, (path: string) => void]>([
    ['the same path', () => {}],
    ['a symbolic link', (path) => symlinkSync(input, path)],
    ['a hard link', (path) => linkSync(input, path)],
  ])('is never the file that they come from: %s', (name, make) => {
    const path = name === 'the same path' ? input : join(directory, name)
    make(path)
    expect(() => keepInput(path, input)).toThrow(
      expect.objectContaining({ code: 'OUTPUT_IS_INPUT', place: path, message: `is the same file as ${input}` }),
    )
  })

  it('may be another file, or one that is not there yet', () => {
    const other = join(directory, 'rows.jsonl')
    expect(() => keepInput(other, input)).not.toThrow()
    writeFileSync(other, '')
    expect(() => keepInput(other, input)).not.toThrow()
  })

  it('is named where it cannot be written', () => {
    expect(() => writing(directory, () => writeFileSync(directory, ''))).toThrow(/cannot be written \(EISDIR\)/)
  })
})
