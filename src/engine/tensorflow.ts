/**
 * The one place that obtains tfjs, TensorFlow's binding, and our own addon for sessions. Everybody else imports `tf` from
 * here: only the instance that the package `@tensorflow/tfjs-node-gpu` loads has gradients registered.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { BcodError } from '../errors.js'
import { addonPath } from './own-addons.js'

process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
const require = createRequire(import.meta.url)

/** What the engine uses of the package's addon (dist/tfjs_binding.d.ts): it traces with tfjs and runs without it. */
export interface Binding {
  getNumOfTensors(): number
  isUsingGpuDevice(): boolean
  readonly TF_Version: string
}

declare const sessionHandle: unique symbol
declare const runHandle: unique symbol
export type SessionHandle = { readonly [sessionHandle]: true }
export type RunHandle = { readonly [runHandle]: true }

/** A value for an end of a node (`name:0`). It is copied before the call returns. */
export interface Feed {
  readonly name: string
  readonly shape: readonly number[]
  readonly values: Float32Array | Int32Array | Uint8Array
}

/** What a run fetched, in that order, and how long it took. */
export type RunResults = readonly (Float32Array | Int32Array | Uint8Array)[] & { readonly seconds: number }

/**
 * Our own addon on TensorFlow's C API (scripts/addon/sessions.cc). Errors carry TensorFlow's code by name in `code`, such
 * as RESOURCE_EXHAUSTED.
 */
export interface Sessions {
  /**
   * Opens a session on a SavedModel.
   * @param target  of TensorFlow's distributed runtime; empty: this process
   * @param config  a ConfigProto
   * @param limit   milliseconds, with a target: then DEADLINE_EXCEEDED is thrown, and what opens later is closed.
   *                @default 60,000
   */
  load(directory: string, target: string, config: Uint8Array, limit?: number): SessionHandle
  /**
   * Frees what a server keeps in containers, and closes the sessions of which it is the master.
   * @param config  a ConfigProto, of which the operation's timeout holds
   */
  reset(target: string, containers: readonly string[], config: Uint8Array): void
  /** Ends when the runs that go on have ended. */
  close(session: SessionHandle): void
  /**
   * Adds the nodes and functions of a GraphDef to the session's graph, also while runs go on.
   * @param known  nodes of the session's graph that the new ones use
   */
  extend(session: SessionHandle, graph: Uint8Array, known: readonly string[]): void
  /** Begins a run on a thread of its own. */
  start(session: SessionHandle, feeds: readonly Feed[], fetches: readonly string[]): RunHandle
  /**
   * Blocks until the run has ended. Once for each run.
   * @param limit  milliseconds since its beginning: then DEADLINE_EXCEEDED is thrown, and nobody hears of its end.
   *               @default none
   */
  wait(run: RunHandle, limit?: number): RunResults
  /**
   * Makes this process a task of a cluster until it ends, and returns its target.
   * @param definition  a ServerDef
   * @param address     the IP address to listen at
   */
  serve(definition: Uint8Array, address: string): string
  /** Tensors of this process that have not been freed. */
  liveTensors(): number
  /** Devices of this process in full, such as `/job:localhost/replica:0/task:0/device:GPU:0`. */
  devices(): string[]
}

/**
 * Puts back what the package's compiled code calls of `util` and Node has taken away (in 23: DEP0051) or warns of on
 * stderr (in 22: DEP0044). The module object is shared, so this is the one place.
 *
 * Reported: https://github.com/tensorflow/tfjs/issues/8609 (open). Pull request #8425 mends it and was merged after
 * 4.22.0, the last release.
 */
function restoreRemovedNodeFunctions(): void {
  const util = require('node:util') as Record<string, unknown>
  util.isArray = Array.isArray
  util.isNullOrUndefined = (value: unknown) => value === null || value === undefined
}

/** glibc's RTLD_NODELETE, which Node does not list. */
const KEEP_LOADED = process.platform === 'linux' ? 0x1000 : 0

/**
 * Node unloads an addon with the last thread that used it, which may be a learner's; TensorFlow's own threads and exit
 * handlers are still in it then, and the process would end with a segmentation fault.
 */
function load(): { readonly tf: typeof TensorFlow; readonly sessions: Sessions } {
  restoreRemovedNodeFunctions()
  const { dlopen } = process
  process.dlopen = (module, filename, flags = constants.dlopen.RTLD_LAZY) =>
    dlopen(module, filename, flags | KEEP_LOADED)
  try {
    if (existsSync(addonPath('quietLoad'))) require(addonPath('quietLoad'))
    const tf = require('@tensorflow/tfjs-node-gpu') as typeof TensorFlow
    return { tf, sessions: require(addonPath('sessions')) as Sessions }
  } catch (cause) {
    throw new BcodError('TENSORFLOW_MISSING', "TensorFlow's addon could not be loaded", { cause })
  } finally {
    process.dlopen = dlopen
  }
}

export const { tf, sessions } = load()
export const binding = (tf.findBackend('tensorflow') as unknown as { binding: Binding }).binding

/** CPUs and GPUs that TensorFlow finds on this machine, such as `GPU:0`. */
export const machineDevices = (): readonly string[] =>
  sessions.devices().flatMap((name) => /\/device:((?:CPU|GPU):\d+)$/.exec(name)?.[1] ?? [])

/** Whether TensorFlow has registered a GPU. */
export const usesGpu = (): boolean => binding.isUsingGpuDevice()
