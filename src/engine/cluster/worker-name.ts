/** What of a worker must be as it is at the leader. */
export interface WorkerIdentity {
  /** bcod's version. */
  readonly version: string
  /** TensorFlow's version. */
  readonly tensorflow: string
  /** Identity of the base model in hex, as checkpoints have it; null for a worker that was told of none. */
  readonly model: string | null
}

/** Digits of the model's identity: enough for what is not the work of an attacker. */
const MODEL_DIGITS = 16

/**
 * The name that a worker's server gives itself, as in `bcod_0_1_0_tensorflow_2_21_0_model_5f0c…`. TensorFlow's protocol
 * compares no versions, but each answer of a server has its name, so that whoever is asked says himself what he is.
 */
export function workerJob({ version, tensorflow, model }: WorkerIdentity): string {
  const known = `bcod_${word(version)}_tensorflow_${word(tensorflow)}`
  return model === null ? known : `${known}_model_${model.slice(0, MODEL_DIGITS)}`
}

/**
 * What keeps a worker of this name from working for a leader: as it reads after the worker's name. null: nothing does.
 * A worker that names no model is taken as it is: what it reads of the weights is compared by itself (`keepWeights`).
 */
export function differenceOf(job: string, wanted: WorkerIdentity): string | null {
  const [, version, tensorflow, model] = /^bcod_(\w+?)_tensorflow_(\w+?)(?:_model_([0-9a-f]+))?$/.exec(job) ?? []
  if (version === undefined || tensorflow === undefined) return `is ${job.slice(0, 60)} and no worker of bcod`
  if (version !== word(wanted.version)) return `is bcod ${plain(version)}, the leader is ${wanted.version}`
  if (tensorflow !== word(wanted.tensorflow))
    return `has TensorFlow ${plain(tensorflow)}, the leader has ${wanted.tensorflow}`
  const own = wanted.model?.slice(0, MODEL_DIGITS)
  return model === undefined || model === own ? null : `has model ${model}, the leader has ${own ?? 'none'}`
}

const word = (version: string): string => version.replace(/\W/g, '_')
const plain = (version: string): string => version.replaceAll('_', '.')
