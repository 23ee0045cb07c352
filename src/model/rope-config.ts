import type { RopeScaling } from './rope.js'

/** What `config.json` says of the rotary positions. */
export interface RopeConfig {
  readonly theta: number
  readonly scaling: RopeScaling | null
}

/** How a config is refused: a value that makes no sense, or one that means what is not supported. */
export interface Refuse {
  readonly invalid: (message: string) => never
  readonly unsupported: (what: string) => never
}

type Json = Readonly<Record<string, unknown>>

/** transformers' default for all three kinds of model. */
const DEFAULT_THETA = 10_000

/**
 * Reads the rotary positions as transformers 5 does (`RotaryEmbeddingConfigMixin.convert_rope_params_to_dict`):
 * `rope_scaling` if it says anything, else `rope_parameters`; θ from within, else from the top level; where it is not
 * given, Llama 3's original context is the whole one. What transformers would fail on later, or compute NaN from, is an
 * error that names the key.
 */
export function parseRope(config: Json, maxPositions: number, refuse: Refuse): RopeConfig {
  const { key, value } = ropeObject(config, refuse)
  const number = (name: string, from: Json, place: string): number => {
    const found = from[name]
    if (typeof found === 'number' && Number.isFinite(found) && found > 0) return found
    return refuse.invalid(
      found === undefined ? `${place}${name} is missing` : `${place}${name}: expected a positive number`,
    )
  }
  const inside = `${key}.`
  const theta =
    value.rope_theta !== undefined
      ? number('rope_theta', value, inside)
      : config.rope_theta !== undefined
        ? number('rope_theta', config, '')
        : DEFAULT_THETA
  const share = value.partial_rotary_factor ?? config.partial_rotary_factor ?? 1
  if (share !== 1) refuse.unsupported(`partial_rotary_factor ${typeof share === 'number' ? share : ''}`.trimEnd())

  const type = value.rope_type !== undefined ? value.rope_type : (value.type ?? 'default')
  const factor = () => number('factor', value, inside)
  switch (type) {
    case 'default':
      return { theta, scaling: null }
    case 'linear':
      return { theta, scaling: { kind: 'linear', factor: factor() } }
    case 'dynamic':
      // stretches what is longer than max_position_embeddings, and nothing that long is ever trained
      factor()
      return { theta, scaling: null }
    case 'llama3': {
      const [place, from] = 'original_max_position_embeddings' in config ? ['', config] : [inside, value]
      const original =
        from.original_max_position_embeddings === undefined
          ? maxPositions
          : number('original_max_position_embeddings', from, place)
      return {
        theta,
        scaling: {
          kind: 'llama3',
          factor: factor(),
          lowFreqFactor: number('low_freq_factor', value, inside),
          highFreqFactor: number('high_freq_factor', value, inside),
          originalMaxPositions: original,
        },
      }
    }
    default: {
      if (typeof type !== 'string') return refuse.invalid(`${inside}rope_type: expected a text`)
      return refuse.unsupported(`rope scaling ${type}; supported are default, linear, dynamic and llama3`)
    }
  }
}

/** The object that counts, and its key. An empty one says nothing. */
function ropeObject(config: Json, { invalid, unsupported }: Refuse): { readonly key: string; readonly value: Json } {
  for (const key of ['rope_scaling', 'rope_parameters']) {
    const value = config[key]
    // Python's truth: null, false and {} count as missing
    if (!value) continue
    if (typeof value !== 'object' || Array.isArray(value)) return invalid(`${key}: expected an object`)
    const nested = Object.keys(value).filter((name) => name.endsWith('_attention'))
    if (nested.length > 0) return unsupported(`${key} by kind of layer (${nested.join(', ')})`)
    if (Object.keys(value).length > 0) return { key, value: value as Json }
  }
  return { key: 'rope_parameters', value: {} }
}
