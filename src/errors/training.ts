import type { ErrorTable } from './entry.js'

/** Training steps and the prompt classifier. */
export const TRAINING_ERRORS = {
  TRAIN_OUT_OF_MEMORY: {
    cause: 'The device has no memory for an event of this length. It was quarantined; the rest of its step trained.',
    remedy: 'Lower limits.maxLength or batch.size, or use a larger device; then publish the event again.',
  },
  TRAIN_NONFINITE: {
    cause: "An event's log-probability or gradient is not finite. It was quarantined; the rest of its step trained.",
    remedy:
      'Look at the dead letter: extreme or corrupt tokens. If many events are hit, run `bcod check`: it looks at every weight.',
  },
  STEP_NONFINITE: {
    cause: 'The gradient of a step is not finite, and no single event makes it so.',
    remedy:
      'The last checkpoint is intact. Lower optimizer.lr, set optimizer.clipNorm, or use f32; look for NaN in the base weights.',
  },
  CLASSIFIER_OTHER: {
    cause:
      'The prompt classifier of the checkpoint was learnt with other settings, from which nothing can be told here.',
    remedy:
      'Give the ratio.mode, ratio.embedder, ratio.embeddingModel and seed of the checkpoint, with --config or --set.',
  },
  EMBEDDINGS_UNAVAILABLE: {
    cause:
      'The embedding service gave no embeddings. The events trained with w = 1 and the classifier did not learn from them.',
    remedy: 'Check embeddings.url, embeddings.token and ratio.embeddingModel, and that the service answers in time.',
  },
} as const satisfies ErrorTable
