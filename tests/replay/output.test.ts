import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { OutputDirectory } from '../../src/replay/output.js'
import { scratchDirectory } from '../support/bcod.js'

test('results stand in the directory only once they are finished', () => {
  const directory = join(scratchDirectory(), 'a', 'out')
  const output = new OutputDirectory(directory)
  writeFileSync(join(output.staging, 'steps.jsonl'), '')
  mkdirSync(join(output.staging, 'adapter'))
  expect(readdirSync(directory)).toEqual(['incomplete'])
  output.finish('steps.jsonl', 'adapter')
  expect(readdirSync(directory).sort()).toEqual(['adapter', 'steps.jsonl'])
})

test('what is abandoned takes the directories along that were made for it, and no others', () => {
  const root = scratchDirectory()
  mkdirSync(join(root, 'there'))
  new OutputDirectory(join(root, 'made', 'for', 'it')).abandon()
  new OutputDirectory(join(root, 'there')).abandon()
  expect(existsSync(join(root, 'made'))).toBe(false)
  expect(readdirSync(root)).toEqual(['there'])
  expect(readdirSync(join(root, 'there'))).toEqual([])
})

test('a place that cannot be a directory is an error with a code', () => {
  const file = join(scratchDirectory(), 'file')
  writeFileSync(file, '')
  expect(() => new OutputDirectory(file)).toThrow(expect.objectContaining({ code: 'OUTPUT_UNWRITABLE', place: file }))
})
