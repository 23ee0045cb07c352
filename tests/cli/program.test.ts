import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { program } from '../../src/cli/program.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { writeSafetensors } from '../../src/safetensors/writer.js'
import { VERSION } from '../../src/telemetry/version.js'
import { bcod, jsonl, scratchDirectory } from '../support/bcod.js'

describe('bcod', () => {
  test('tells its version, and lists its commands on stderr with exit code 2 where none is given', async () => {
    expect(await bcod('--version')).toMatchObject({ code: 0, stdout: `${VERSION}\n` })
    const nothing = await bcod()
    expect(nothing).toMatchObject({ code: 2, stdout: '' })
    expect(nothing.stderr).toContain('Usage: bcod')
  })

  test('has --help with an example for every command', async () => {
    const help = (name: string) => new RegExp(`Examples?:\n(.*\n)*.*bcod ${name}`)
    for (const command of program().commands) {
      const [name, said] = [command.name(), [] as string[]]
      command.configureOutput({ writeOut: (text) => said.push(text) })
      command.outputHelp()
      expect(said.join(''), name).toMatch(help(name))
    }
    expect(await bcod('run', '--help')).toMatchObject({ code: 0, stdout: expect.stringMatching(help('run')) })
  })

  test('does not load TensorFlow for help, configuration or wrong usage', async () => {
    const listed =
      'data:text/javascript,process.on("exit",()=>console.error(process.report.getReport().sharedObjects.some(x=>x.includes("libtensorflow"))))'
    for (const args of ['--help', 'config show', 'replay --help', 'eval']) {
      const stderr = await new Promise<string>((resolve) => {
        execFile(process.execPath, ['--import', listed, 'dist/cli.js', ...args.split(' ')], (_error, _out, err) =>
          resolve(err),
        )
      })
      expect(stderr.trimEnd().split('\n').at(-1), args).toBe('false')
    }
  })

  test.each([
    [['evl'], "USAGE: unknown command 'evl' (Did you mean eval?)"],
    [['eval', '--pairs', 'x', '--modle', 'y'], "USAGE: unknown option '--modle' (Did you mean --model?)"],
    [['eval'], "USAGE: required option '--pairs <file.jsonl>' not specified"],
    [['replay', '--out', 'x'], 'USAGE replay: expected '],
    [['bench', '--shape', 'huge'], "USAGE: option '--shape <name>' argument 'huge' is invalid."],
  ])('answers wrong usage %j with exit code 2 and what to do', async (args, message) => {
    const { code, stdout, stderr } = await bcod(...args)
    expect(stderr).toContain(message)
    expect(stderr).toMatch(/\n {2}-> Run the command with --help\.\n$/)
    expect([code, stdout]).toEqual([2, ''])
  })
})

describe('a wrong configuration', () => {
  test('with an unknown key or a negative rate ends every command with exit code 2 and the place of the value', async () => {
    const directory = scratchDirectory()
    const unknown = join(directory, 'unknown.yaml')
    writeFileSync(unknown, 'seed: 1\noptimizer:\n  learningRate: 0.1\n')
    const negative = join(directory, 'negative.yaml')
    writeFileSync(negative, 'optimizer:\n  lr: -0.1\n')
    const events = jsonl(directory, 'events.jsonl', [])
    const commands = [
      ['config', 'show'],
      ['replay', '--model', 'src/demo/model', '--events', events, '--out', join(directory, 'out')],
      ['check', '--json'],
    ]
    for (const command of commands) {
      const first = await bcod(...command, '--config', unknown)
      expect(first.stderr).toMatch(/^CONFIG_UNKNOWN_KEY optimizer\.learningRate: .*unknown\.yaml line 3/m)
      const second = await bcod(...command, '--config', negative)
      expect(second.stderr).toMatch(
        /^CONFIG_INVALID optimizer\.lr: expected a number >= 0, got -0\.1 .*negative\.yaml line 2/m,
      )
      expect([first.code, second.code], command[0]).toEqual([2, 2])
    }
  })

  test('is a failed check as well', async () => {
    const { stdout } = await bcod('check', '--set', 'optimizer.lr=-1', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ ok: false, checks: [{ name: 'config', status: 'fail' }] })
  })

  test('without a model names the ways to give one', async () => {
    const { code, stderr } = await bcod('eval', '--pairs', 'none.jsonl')
    expect(stderr).toMatch(/^CONFIG_MISSING model\.path: /m)
    expect(stderr).toContain('--model DIR')
    expect(code).toBe(2)
  })
})

describe('a model directory that is not whole', () => {
  const copy = () => {
    const directory = join(scratchDirectory(), 'model')
    cpSync('tests/golden/tiny_llama', directory, { recursive: true })
    return directory
  }

  /** Replay and check must both say so; replay must leave nothing. */
  async function refused(model: string, message: RegExp): Promise<void> {
    const directory = scratchDirectory()
    const events = jsonl(directory, 'events.jsonl', [{ prompt_tokens: [1, 2], completion_tokens: [3], label: true }])
    const set = ['--set', 'batch.tokens=64', '--set', 'limits.maxLength=64']
    const replayed = await bcod('replay', '--model', model, '--events', events, '--out', join(directory, 'out'), ...set)
    expect(replayed.stderr).toMatch(message)
    expect([replayed.code, replayed.stdout]).toEqual([1, ''])
    expect(existsSync(join(directory, 'out'))).toBe(false)
    const { stdout, code } = await bcod('check', '--set', `model.path=${model}`, '--json')
    expect(code).toBe(1)
    const { checks } = JSON.parse(stdout) as { checks: { name: string; status: string; detail: string }[] }
    const found = checks.find(({ name }) => name === 'model')!
    expect(found.status).toBe('fail')
    expect(found.detail).toMatch(message)
  }

  test('for want of a tensor', async () => {
    const model = copy()
    const path = join(model, 'model.safetensors')
    const file = openSafetensors(path)
    const kept = file.names.filter((name) => name !== 'model.layers.1.mlp.up_proj.weight')
    const tensors = new Map(kept.map((name) => [name, { shape: file.info(name).shape, data: file.floats(name) }]))
    file.close()
    writeSafetensors(path, tensors)
    await refused(model, /^MODEL_TENSOR_MISSING .*model\.layers\.1\.mlp\.up_proj\.weight/m)
  })

  test('for its architecture', async () => {
    const model = copy()
    const path = join(model, 'config.json')
    const config = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...config, architectures: ['GPT2LMHeadModel'] }))
    await refused(model, /^MODEL_UNSUPPORTED .*config\.json: architecture GPT2LMHeadModel; supported are /m)
  })

  test('for a file cut short', async () => {
    const model = copy()
    truncateSync(join(model, 'model.safetensors'), 20_000)
    await refused(model, /^SAFETENSORS_INVALID .*model\.safetensors: file is cut short: /m)
  })
})
