import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { type JsonValue, stableJson } from './json.js'

/** Identity of tokenizer and chat template; null for a model directory without a tokenizer. */
export async function hashTokenizer(directory: string): Promise<string | null> {
  const further = ['chat_template.json', 'special_tokens_map.json', 'added_tokens.json']
  const templates = join(directory, ADDITIONAL)
  const additional = existsSync(templates) ? readdirSync(templates).sort() : []
  const named = additional.filter((name) => name.endsWith('.jinja')).map((name) => join(ADDITIONAL, name))
  return hashFiles(
    directory,
    [...further, ...named].filter((name) => existsSync(join(directory, name))),
  )
}

/** The same as older checkpoints have it: some files did not count. */
export const hashOlderTokenizer = (directory: string): Promise<string | null> => hashFiles(directory, [])

const ADDITIONAL = 'additional_chat_templates'

async function hashFiles(directory: string, further: readonly string[]): Promise<string | null> {
  if (!existsSync(join(directory, 'tokenizer.json'))) return null
  const hash = createHash('sha256')
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', ...further]) {
    const path = join(directory, name)
    hash.update(`${name} ${existsSync(path) ? await hashFile(path) : 'absent'}\n`)
  }
  return hash.digest('hex')
}

/** sha256 of a whole file, in hex. */
export async function hashFile(path: string): Promise<string> {
  const file = await open(path, 'r')
  const hash = createHash('sha256')
  for await (const piece of file.createReadStream({ highWaterMark: 2 ** 20 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** sha256 of a value, whatever the order of its keys. */
export const hashJson = (value: JsonValue): string => createHash('sha256').update(stableJson(value)).digest('hex')
