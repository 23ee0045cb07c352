import type { EmbeddingOutcome } from '../../events/types.js'
import type { MetricSet } from './metric-set.js'

/** Metrics of the prompt classifier and its density ratio. */
export function classifierMetrics(set: MetricSet) {
  const metrics = {
    densityRatioWeight: set.histogram(
      'density_ratio_weight',
      'weight',
      'Density-ratio weight w(x) of thumbs-down events.',
      WEIGHT,
    ),
    densityRatioClamped: set.counter(
      'density_ratio_clamped_total',
      'events',
      'Weights that hit ratio.min (low) or ratio.max (high).',
      ['bound'],
    ),
    effectiveSampleSize: set.gauge(
      'effective_sample_size_ratio',
      'ratio',
      'Effective share (Σw)² / (n Σw²) of the thumbs-down events of the last step.',
    ),
    classifierLogLoss: set.gauge(
      'classifier_log_loss',
      'nats',
      'Balanced log loss of the prompt classifier on prompts that it had not learnt from; 0.693 is chance.',
    ),
    classifierAuc: set.gauge(
      'classifier_auc_ratio',
      'ratio',
      'Chance that the classifier puts a thumbs-up prompt above a thumbs-down prompt that it had not learnt from either.',
    ),
    classifierCalibration: set.gauge(
      'classifier_calibration_error_ratio',
      'ratio',
      'Expected calibration error of the classifier on prompts that it had not learnt from, classes weighing the same.',
    ),
    classifierRawWeight: set.gauge(
      'density_ratio_raw_mean',
      'weight',
      'Mean of the density ratio over recent thumbs-down before clamping; 1 if the classifier is calibrated.',
    ),
    classifierReady: set.gauge(
      'classifier_ready',
      'boolean',
      '1 once the classifier has seen ratio.minPerClass events of both classes; w = 1 before.',
    ),
    classifierTrust: set.gauge(
      'classifier_trust_ratio',
      'ratio',
      "How much of the classifier's logits is used: from 0, which gives w = 1, it rises as predictions prove themselves.",
    ),
    classifierRefused: set.gauge(
      'classifier_refused_prompts',
      'prompts',
      'Prompts without a usable embedding since the lineage of checkpoints began; they trained with w = 1.',
    ),
    embeddedPrompts: set.counter(
      'embedded_prompts_total',
      'prompts',
      'Prompts that needed an embedding from embeddings.url: found in the cache, embedded, or failed.',
      ['outcome'],
    ),
  }
  for (const outcome of Object.keys(EMBEDDING_OUTCOMES)) metrics.embeddedPrompts.inc({ outcome }, 0)
  for (const bound of ['low', 'high']) metrics.densityRatioClamped.inc({ bound }, 0)
  return metrics
}

const EMBEDDING_OUTCOMES: Readonly<Record<EmbeddingOutcome, true>> = { cached: true, embedded: true, failed: true }
const WEIGHT = [0.1, 0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 7.5, 10, 20]
