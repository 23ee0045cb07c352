/** A model to measure: `config.json` of a Llama with random weights, and how long the measurement is. */
export interface BenchShape {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly vocabSize: number
  /** Measured steps unless `--steps` says otherwise. */
  readonly steps: number
}

export const BENCH_SHAPES = {
  /** Of the size of the demo's model: what the machinery around the matrices costs. */
  tiny: { hiddenSize: 128, intermediateSize: 384, layers: 4, heads: 4, kvHeads: 2, vocabSize: 1024, steps: 50 },
  /** HuggingFaceTB/SmolLM2-135M. */
  'smollm2-135m': {
    hiddenSize: 576,
    intermediateSize: 1536,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    vocabSize: 49_152,
    steps: 5,
  },
  /** HuggingFaceTB/SmolLM2-360M. */
  'smollm2-360m': {
    hiddenSize: 960,
    intermediateSize: 2560,
    layers: 32,
    heads: 15,
    kvHeads: 5,
    vocabSize: 49_152,
    steps: 3,
  },
  /** meta-llama/Llama-3.2-1B. */
  'llama-3.2-1b': {
    hiddenSize: 2048,
    intermediateSize: 8192,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    vocabSize: 128_256,
    steps: 2,
  },
} as const satisfies Record<string, BenchShape>

export type BenchShapeName = keyof typeof BENCH_SHAPES

/** @param maxLength  longest event that is measured, in tokens */
export const huggingFaceConfig = (shape: BenchShape, maxLength: number) => ({
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  dtype: 'bfloat16',
  hidden_act: 'silu',
  hidden_size: shape.hiddenSize,
  intermediate_size: shape.intermediateSize,
  num_hidden_layers: shape.layers,
  num_attention_heads: shape.heads,
  num_key_value_heads: shape.kvHeads,
  vocab_size: shape.vocabSize,
  max_position_embeddings: maxLength,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  tie_word_embeddings: true,
})
