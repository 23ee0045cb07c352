import type { Command } from 'commander'
import { readAdapter } from '../adapters/weights/peft.js'
import { type Config, loadConfig } from '../config/config.js'
import { BcodError } from '../errors.js'
import { LINEAR_LAYERS } from '../model/parameters.js'
import { addConfigOptions, type ConfigFlags } from './config-options.js'

/** Flags of a command that loads a model. */
export interface LearnerFlags extends ConfigFlags {
  readonly model?: string
  /** Directory of a PEFT adapter to start from. */
  readonly adapter?: string
}

/** Over a file of events: its order decides, and every event trains, unless it is asked for otherwise. */
export const FILE_DEFAULTS = {
  batch: { stratify: false },
  stream: { holdBack: 0 },
  eval: { holdOut: 0 },
  limits: { userShare: 0, promptRepeats: 0 },
}

/** Adds `--model`, `--config` and `--set`. */
export const addModelOptions = (command: Command): Command =>
  addConfigOptions(command.option('--model <dir>', 'model directory in Hugging Face layout (model.path)'))

/**
 * The configuration of a command that loads a model. `--model` and `--adapter` win over every other source; the shape
 * of the LoRA is that of the adapter, unless a file, variable or `--set` says otherwise.
 *
 * @param defaults  of the command, nested; nothing under `lora`
 * @throws CONFIG_*, CONFIG_MISSING without a model, ADAPTER_INVALID, ADAPTER_UNSUPPORTED, SAFETENSORS_INVALID
 */
export function learnerConfig(flags: LearnerFlags, defaults: Readonly<Record<string, unknown>>): ConfigWithModel {
  const { model, adapter, config: file, set = [] } = flags
  const config = loadConfig({
    defaults: adapter === undefined ? defaults : { ...defaults, lora: adapterShape(adapter) },
    file,
    set: [
      ...set,
      ...(model === undefined ? [] : [`model.path=${JSON.stringify(model)}`]),
      ...(adapter === undefined ? [] : [`lora.init=${JSON.stringify(adapter)}`]),
    ],
  })
  const { path } = config.model
  if (path === null) {
    const remedy = 'Give --model DIR, or set model.path in the file, in the environment or with --set.'
    throw new BcodError('CONFIG_MISSING', 'no model directory is given', { place: 'model.path', remedy })
  }
  return { ...config, model: { ...config.model, path } }
}

export type ConfigWithModel = Config & { readonly model: { readonly path: string } }

function adapterShape(directory: string) {
  const { r, alpha, rslora, targets } = readAdapter(directory)
  const other = targets.find((target) => !(LINEAR_LAYERS as readonly string[]).includes(target))
  if (other !== undefined) {
    throw new BcodError('ADAPTER_UNSUPPORTED', `it covers ${other}, which bcod does not train`, { place: directory })
  }
  return { r, alpha, rslora, targets }
}
