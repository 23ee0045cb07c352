import type { SavedTensors } from './tensors.js'

/** A prompt's embedding as the embedder gives it; every one of the same width. */
export type Embedding = Float64Array | Float32Array

/** One prompt whose label is known. */
export interface LabelledPrompt {
  readonly embedding: Embedding
  /** true = thumbs-up. */
  readonly label: boolean
  /** The event's own weight a. */
  readonly weight: number
}

/** How p_ψ is learnt. Embeddings are finite here, and of the model's width. */
export interface ClassifierModel {
  /** Of the embeddings that it learns from; null until it has seen one. */
  readonly width: number | null
  /** log p_ψ(1|x) / p_ψ(0|x) of each; 0 while too little has been seen. */
  logits(embeddings: readonly Embedding[]): Float64Array
  /** Learns from the events of one applied step. */
  update(prompts: readonly LabelledPrompt[]): void
  /** Whether enough of both classes has been seen to predict. */
  readonly ready: boolean
  /** The factor that shrinks the regression's logits until its predictions prove themselves: 0 gives w = 1. */
  readonly trust: number
  tensors(): SavedTensors
  restore(tensors: SavedTensors): void
}
