import type { Adapter } from '../adapters/weights/adapter.js'
import { ParameterVector } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { Architecture } from './architecture.js'
import { LINEAR_LAYERS, type LinearLayer, linearPath, linearShape, stageOfLayer } from './parameters.js'
import { seededRandom } from './random.js'

export interface LoraOptions {
  readonly r: number
  readonly alpha: number
  readonly rslora: boolean
  readonly targets: readonly LinearLayer[]
}

/** PEFT's name of one matrix of an adapter. */
export const loraName = (layer: number, target: LinearLayer, matrix: 'A' | 'B'): string =>
  `base_model.model.model.layers.${layer}.${linearPath(target)}.lora_${matrix}.weight`

/** `q_proj.A` of a matrix's name in PEFT. */
export const loraKey = (name: string): string => {
  const [, target, matrix] = /\.(\w+)\.lora_([AB])\.weight$/.exec(name) as RegExpExecArray
  return `${target}.${matrix}`
}

/** Shapes of the adapter's matrices by PEFT's names, sorted: their bytes in this order are what `adapter_sha256` hashes. */
export function loraShapes(a: Architecture, { r, targets }: LoraOptions): Record<string, readonly [number, number]> {
  const shapes: [string, readonly [number, number]][] = []
  for (let layer = 0; layer < a.layers; layer++)
    for (const target of LINEAR_LAYERS.filter((name) => targets.includes(name))) {
      const [out, input] = linearShape(a, target)
      shapes.push([loraName(layer, target, 'A'), [r, input]], [loraName(layer, target, 'B'), [out, r]])
    }
  return Object.fromEntries(shapes.sort(([x], [y]) => (x < y ? -1 : 1)))
}

/** The layer of a matrix, by its name in PEFT. */
const layerOf = (name: string): number => Number(/\.layers\.(\d+)\./.exec(name)?.[1])

/** The adapter's parameters as one vector in the engine, in parts where its layers are at several stages. */
export const loraParameters = (a: Architecture, options: LoraOptions, stages = 1): ParameterVector =>
  new ParameterVector('lora', loraShapes(a, options), (name) => stageOfLayer(a, stages, layerOf(name)))

/** PEFT's initialisation: A uniform in ±1/√in (Kaiming with a = √5), B zero. */
export function initialLora(parameters: ParameterVector, seed: number): Float32Array {
  const random = seededRandom(seed, 'lora')
  const values = new Float32Array(parameters.size)
  for (const { name, shape, offset, size } of parameters.slots) {
    if (!name.endsWith('lora_A.weight')) continue
    const bound = 1 / Math.sqrt(shape[1] as number)
    for (let i = 0; i < size; i++) values[offset + i] = (2 * random() - 1) * bound
  }
  return values
}

/**
 * Whether every B is zero, so that the policy is the base. Its products are longer sums than the base's all the same,
 * and on some processors round differently.
 */
export function addsNothing(parameters: ParameterVector, values: Float32Array): boolean {
  return [...parameters.views(values)].every(
    ([name, tensor]) => name.endsWith('lora_A.weight') || tensor.every((value) => value === 0),
  )
}

/**
 * The vector of an adapter from elsewhere.
 * @throws ADAPTER_MISMATCH if it was not made for this model and these options
 */
export function loraFromAdapter(
  parameters: ParameterVector,
  options: LoraOptions,
  adapter: Adapter,
  place: string,
): Float32Array {
  const refuse = (message: string): never => {
    throw new BcodError('ADAPTER_MISMATCH', message, { place })
  }
  for (const key of ['r', 'alpha', 'rslora'] as const)
    if (adapter[key] !== options[key]) refuse(`${key} is ${adapter[key]}, lora.${key} is ${options[key]}`)
  const values = new Float32Array(parameters.size)
  for (const { name, shape, offset } of parameters.slots) {
    const tensor = adapter.tensors.get(name) ?? refuse(`no tensor ${name}`)
    if (tensor.shape.join() !== shape.join()) refuse(`${name} is [${tensor.shape}], the model asks for [${shape}]`)
    values.set(tensor.data, offset)
  }
  if (adapter.tensors.size !== parameters.slots.length) refuse('it has layers that lora.targets does not name')
  return values
}

/** The adapter that a vector holds. */
export function toAdapter(
  parameters: ParameterVector,
  options: LoraOptions,
  values: Float32Array,
  baseModel: string | null,
): Adapter {
  const views = parameters.views(values)
  return {
    r: options.r,
    alpha: options.alpha,
    rslora: options.rslora,
    targets: [...options.targets].sort(),
    baseModel,
    tensors: new Map(
      parameters.slots.map(({ name, shape }) => [name, { shape, data: views.get(name) as Float32Array }]),
    ),
  }
}
