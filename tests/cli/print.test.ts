import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { printAnswer } from '../../src/cli/print.js'
import { bcod, scratchDirectory } from '../support/bcod.js'

afterEach(() => vi.restoreAllMocks())

const HOSTILE = '\u001b]0;owned\u0007\u009b31m\u202e'

test('nothing else of the program writes to a terminal', () => {
  const writers = readdirSync('src', { encoding: 'utf8', recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .filter((file) =>
      /console\.(?:log|error|warn|info|debug)\(|std(?:out|err)\.write\(/.test(
        // a script for another process is no output of this one
        readFileSync(join('src', file), 'utf8').replace(/console\.log\(JSON\.stringify\(\{ version: binding/, ''),
      ),
    )
  expect(writers).toEqual([join('cli', 'print.ts')])
})

test('an answer goes into a pipe byte for byte, and does no harm on a terminal', () => {
  let written = ''
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    written += String(chunk)
    return true
  })
  const { isTTY } = process.stdout
  try {
    process.stdout.isTTY = false
    printAnswer(HOSTILE)
    process.stdout.isTTY = true
    printAnswer(HOSTILE)
  } finally {
    process.stdout.isTTY = isTTY
  }
  expect(written).toBe(`${HOSTILE}\n\\u001b]0;owned\\u0007\\u009b31m\\u202e\n`)
})

test('words of model files, settings and file names are shown and not obeyed', async () => {
  const directory = scratchDirectory()
  const model = join(directory, `model${HOSTILE}`)
  mkdirSync(model)
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  const header = Buffer.from(
    JSON.stringify({ [`${HOSTILE}\nok    model`]: { dtype: 'X', shape: [1], data_offsets: [0, 4] } }),
  )
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  writeFileSync(join(model, 'model.safetensors'), Buffer.concat([length, header, Buffer.alloc(4)]))
  for (const args of [
    ['check', '--set', `model.path=${model}`],
    ['check', '--set', `model.path=${model}`, '--json'],
    ['config', 'show', '--set', `stream.topic=${HOSTILE}`],
    ['eval', '--model', model, '--pairs', HOSTILE],
    [HOSTILE],
    ['--debug', 'generate', `--${HOSTILE}`],
  ]) {
    const { stdout, stderr } = await bcod(...args)
    expect(stdout + stderr, args.join(' ')).not.toMatch(/(?![\n\t])[\p{Cc}\p{Bidi_Control}]/u)
    expect(stdout + stderr, args.join(' ')).toMatch(/\\(?:u00|x)1b|\\e|owned/i)
  }
}, 240_000)
