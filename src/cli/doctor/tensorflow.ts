import { execFile } from 'node:child_process'
import { readFile, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Config } from '../../config/config.js'
import { addonPath } from '../../engine/own-addons.js'
import { type Finding, fail, pass, warn } from './finding.js'

/** What a process of its own saw when it loaded TensorFlow. */
export type TensorFlowProbe =
  | {
      readonly loaded: true
      readonly version: string
      readonly gpu: boolean
      /** CPUs and GPUs that it found, as in `GPU:0`. */
      readonly devices: readonly string[]
      /** Whether TF32 is on, once it was set as asked; null if there is no addon to set it. */
      readonly tf32: boolean | null
      readonly libraries: string
    }
  | { readonly loaded: false; readonly reason: string }

const run = promisify(execFile)
const LOAD_LIMIT_MS = 60_000

/** Runs in the child. The answer is the last line of its output. */
const SCRIPT = `
const [entry, sessions, numerics, tf32] = process.argv.slice(1)
const { binding } = require(entry).findBackend('tensorflow')
const devices = require(sessions).devices().flatMap((name) => /device:([CG]PU:[0-9]+)$/.exec(name)?.[1] ?? [])
const switched = () => {
  try {
    const addon = require(numerics)
    addon.setTf32(tf32 === 'true')
    return addon.tf32()
  } catch {
    return null
  }
}
console.log(JSON.stringify({ version: binding.TF_Version, gpu: binding.isUsingGpuDevice(), devices, tf32: switched() }))
`

/** Loads TensorFlow in a child process, so that a crash of the native library is a finding and not our end. */
export async function probeTensorFlow(tf32: boolean): Promise<TensorFlowProbe> {
  try {
    const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu')
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2' }
    const args = ['-e', SCRIPT, entry, addonPath('sessions'), addonPath('gpuNumerics'), String(tf32)]
    const { stdout } = await run(process.execPath, args, { env, timeout: LOAD_LIMIT_MS })
    const answer = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
      version: string
      gpu: boolean
      devices: readonly string[]
      tf32: boolean | null
    }
    const libraries = await realpath(join(dirname(addonPath('sessions')), 'lib'))
    return { loaded: true, ...answer, libraries }
  } catch (error) {
    return { loaded: false, reason: reasonOf(error as Error & { stderr?: string; signal?: string }) }
  }
}

export function checkTensorFlow(probe: TensorFlowProbe): Finding {
  if (!probe.loaded)
    return fail('tensorflow', probe.reason, 'Run make setup; it fetches libtensorflow and builds the addons.')
  return pass('tensorflow', `${probe.version}, ${probe.libraries}`)
}

/** bf16 pays only where the processor multiplies it. */
export async function checkBf16(dtype: Config['model']['dtype'], cpuinfo = '/proc/cpuinfo'): Promise<Finding> {
  const text = await readFile(cpuinfo, 'utf8').catch(() => '')
  const flags = new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [])
  const found = ['amx_bf16', 'avx512_bf16'].filter((flag) => flags.has(flag))
  if (found.length > 0) return pass('bf16', `the processor multiplies bf16 (${found.join(', ')})`)
  const detail = 'the processor has no bf16 instructions'
  return dtype === 'bf16' ? warn('bf16', detail, 'On this CPU model.dtype=f32 is faster.') : pass('bf16', detail)
}

/** The line of a failed child that says why: an error of the loader, or the signal that ended it. */
function reasonOf({ message, stderr, signal }: Error & { stderr?: string; signal?: string }): string {
  if (signal) return `loading it ended with ${signal}`
  const line = (stderr || message).split('\n').find((text) => /error|cannot/i.test(text)) ?? message
  return line.trim()
}
