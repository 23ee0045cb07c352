import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { endText } from '../../src/demo/kafka/process-end.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-death-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** An addon whose functions crash: through a null pointer, through a null function, by giving up. */
const CRASHES = `
#include <node_api.h>
#include <cstdlib>
#define CRASH(name, body) napi_value name(napi_env, napi_callback_info) { body; return nullptr; }
CRASH(read_null, static volatile int* nothing; *nothing = 1)
CRASH(call_null, static void (*volatile nothing)(); nothing())
CRASH(give_up, std::abort())
extern "C" NAPI_MODULE_EXPORT napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  const napi_property_descriptor all[] = {
    {"readNull", nullptr, read_null, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
    {"callNull", nullptr, call_null, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
    {"giveUp", nullptr, give_up, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
  };
  napi_define_properties(env, exports, 3, all);
  return exports;
}`
const addon = join(directory, 'crashes.node')

/** As the daemon starts it. */
const LEARNER = `
const { RemoteLearner } = await import('${resolve('dist/learner/remote-learner.js')}')
const { loadConfig } = await import('${resolve('dist/config/config.js')}')
const set = ['model.path=${resolve('tests/golden/tiny_llama')}', 'lora.r=4', 'limits.maxLength=64', 'batch.tokens=512']
await RemoteLearner.start({ config: loadConfig({ env: {}, set }), decoder: null })`

/** What starting a learner calls before all else. */
const NOTICE = `(await import('${resolve('dist/engine/death-notice.js')}')).nameDeaths(true)`

const crashingInThread = (crash: string) => `
import { Worker } from 'node:worker_threads'
new Worker("require('${addon}').${crash}()", { eval: true })
await new Promise((resolve) => setTimeout(resolve, 30_000))`

beforeAll(() => {
  writeFileSync(join(directory, 'crashes.cc'), CRASHES)
  const include = 'node_modules/node-api-headers/include'
  const flags = ['-std=c++17', '-shared', '-fPIC', '-w', '-DBUILDING_NODE_EXTENSION', `-I${include}`, '-O0']
  execFileSync('c++', [...flags, join(directory, 'crashes.cc'), '-o', addon])
})

async function run(source: string) {
  const file = join(directory, 'program.mjs')
  writeFileSync(file, source)
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString()
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  return { code, signal, log }
}

describe('a crash of native code in a process with a learner', () => {
  test.each([
    ['readNull', 'SIGSEGV', /at crashes\.node\+0x[0-9a-f]+$/, LEARNER],
    ['callNull', 'SIGSEGV', /at 0x0$/, NOTICE],
    ['giveUp', 'SIGABRT', /at libc\S*\+0x[0-9a-f]+$/, NOTICE],
  ] as const)(
    '%s is named in its log, with %s and the place',
    { timeout: 60_000 },
    async (crash, signal, place, start) => {
      const end = await run(`${start}\n${crashingInThread(crash)}`)
      expect(end.signal).toBe(signal)
      const line = JSON.parse(end.log.split('\n').find((each) => each.includes('NATIVE_DEATH'))!)
      expect(line).toMatchObject({ level: 'fatal', service: 'bcod', code: 'NATIVE_DEATH', signal })
      expect(line.msg).toMatch(/^native code crashed, /)
      expect(line.msg).toMatch(place)
      expect(line.remedy).toContain('bcod doctor')
      expect(endText(end)).toContain(`was ended by ${signal} (native code`)
    },
  )

  test('a fault that WebAssembly answers is none', { timeout: 60_000 }, async () => {
    // (module (memory 1) (func (export "f") (result i32) i32.const -16 i32.load))
    const wasm = '0061736d010000000105016000017f03020100050301000107050101660000 0a09010700417028020 00b'.replace(
      / /g,
      '',
    )
    const source = `${NOTICE}
      const { instance } = await WebAssembly.instantiate(Buffer.from('${wasm}', 'hex'))
      let thrown
      try { instance.exports.f() } catch (error) { thrown = error }
      process.exit(thrown instanceof WebAssembly.RuntimeError ? 7 : 8)`
    expect(await run(source)).toEqual({ code: 7, signal: null, log: '' })
  })
})
