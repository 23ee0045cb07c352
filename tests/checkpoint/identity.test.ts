import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { hashFile, hashJson, hashOlderTokenizer, hashTokenizer } from '../../src/checkpoint/identity.js'
import { temporaryDirectory } from '../support/checkpoints.js'

const golden = join(import.meta.dirname, '../golden')

function copyOf(name: string): string {
  const directory = temporaryDirectory()
  cpSync(join(golden, name), directory, { recursive: true })
  return directory
}

it('a file has the hash that sha256sum gives', async () => {
  const path = join(golden, 'tiny_llama/model.safetensors')
  expect(execFileSync('sha256sum', [path], { encoding: 'utf8' })).toContain(await hashFile(path))
})

it('a tokenizer loses its identity with its vocabulary or its chat template; without one there is none', async () => {
  const directory = copyOf('chat')
  const identity = await hashTokenizer(directory)
  writeFileSync(join(directory, 'chat_template.jinja'), '{{ messages }}')
  const other = await hashTokenizer(directory)
  rmSync(join(directory, 'chat_template.jinja'))
  expect(new Set([identity, other, await hashTokenizer(directory)]).size).toBe(3)
  expect(await hashTokenizer(join(golden, 'tiny_llama'))).toBeNull()
})

it.each([
  'chat_template.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'additional_chat_templates/tool_use.jinja',
])('a tokenizer has another identity with %s; older checkpoints were made without looking at it', async (name) => {
  const directory = copyOf('chat')
  const plain = await hashTokenizer(directory)
  mkdirSync(join(directory, 'additional_chat_templates'))
  expect(await hashTokenizer(directory)).toBe(plain)
  writeFileSync(join(directory, name), '{}')
  const first = await hashTokenizer(directory)
  writeFileSync(join(directory, name), '{"a": 1}')
  expect(new Set([plain, first, await hashTokenizer(directory)]).size).toBe(3)
  expect(await hashOlderTokenizer(directory)).toBe(plain)
})

it('a config has the same hash whatever the order of its keys', () => {
  expect(hashJson({ a: 1, b: { c: [1, 2], d: 3 } })).toBe(hashJson({ b: { d: 3, c: [1, 2] }, a: 1 }))
  expect(hashJson({ a: [1, 2] })).not.toBe(hashJson({ a: [2, 1] }))
})
