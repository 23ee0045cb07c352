import type { ErrorTable } from './entry.js'

/** The base model, TensorFlow and the device. */
export const MODEL_ERRORS = {
  MODEL_CONFIG_INVALID: {
    cause: "The model's config.json is not what Hugging Face writes.",
    remedy: 'Download the model directory again, or correct the named key.',
  },
  MODEL_NONFINITE: {
    cause:
      'The model itself computes NaN or infinity, whatever it is given: its weights are damaged, or its numbers overflow. No vote is the cause, and none was quarantined.',
    remedy:
      'If the message names a tensor with a weight that is not finite, download or merge the model again. Otherwise use model.dtype f32 and compare config.json with the original.',
  },
  MODEL_UNSUPPORTED: {
    cause: 'The model is of a kind that bcod does not train.',
    remedy: 'Use a Llama, Qwen2/2.5 or Qwen3 model with unquantized weights.',
  },
  MODEL_TENSOR_SHAPE: {
    cause: 'A weight has another shape than config.json says.',
    remedy: 'Weights and config.json come from different models: download the directory again.',
  },
  TENSORFLOW_MISSING: {
    cause: 'libtensorflow or the addon that calls it is missing or does not load.',
    remedy: 'Run `make setup`; `bcod doctor` names what is missing.',
  },
  TENSORFLOW_FAILED: {
    cause: 'TensorFlow refused or failed a call.',
    remedy: 'Look at the message; try `model.executor` graph instead of xla, or f32 instead of bf16.',
  },
  DEVICE_MISSING: {
    cause: 'devices names a device that TensorFlow does not find on this machine.',
    remedy: 'Name devices that are there (`bcod doctor` lists them), or leave devices at auto.',
  },
  PLACE_DIFFERS: {
    cause: 'One of devices computes other bits than the first: no replay could follow what it adds to a step.',
    remedy:
      'Compare models and drivers of the devices, and of a worker also processor, image and environment; or leave it out of devices.',
  },
  DEVICE_OUT_OF_MEMORY: {
    cause: 'The device had no memory left for a call.',
    remedy:
      'A block that is too large is replaced by smaller ones by itself; this is what remains. Lower limits.maxLength, or use a larger device.',
  },
  MODEL_FILE_MISSING: {
    cause: 'A file of the model directory is not there or cannot be read.',
    remedy: 'Point model.path to a Hugging Face directory with config.json and its safetensors files.',
  },
  MODEL_TENSOR_MISSING: {
    cause: 'A tensor that the architecture needs is not in the model files.',
    remedy: 'Check that every shard was downloaded and that the weights belong to this config.json.',
  },
} as const satisfies ErrorTable
