import { armMetrics } from './metrics/arms.js'
import { classifierMetrics } from './metrics/classifier.js'
import { consumerMetrics } from './metrics/consumer.js'
import { daemonMetrics } from './metrics/daemon.js'
import { feedbackMetrics } from './metrics/feedback.js'
import { type MetricInfo, MetricSet } from './metrics/metric-set.js'
import { servingMetrics } from './metrics/serving.js'
import { storageMetrics } from './metrics/storage.js'
import { trainingMetrics } from './metrics/training.js'

/**
 * Every metric of bcod. A gauge appears with its first measurement, so that 0 always means measured 0; a counter whose
 * label values are known starts at 0, and so does a gauge that reports a fault. No label is a user, a prompt or an
 * adapter version.
 */
export class Metrics {
  private readonly set = new MetricSet()
  readonly feedback = feedbackMetrics(this.set)
  readonly consumer = consumerMetrics(this.set)
  readonly training = trainingMetrics(this.set)
  readonly classifier = classifierMetrics(this.set)
  readonly storage = storageMetrics(this.set)
  readonly serving = servingMetrics(this.set)
  readonly arms = armMetrics(this.set)
  readonly daemon = daemonMetrics(this.set)

  /** All metrics, in the order of the documentation. */
  get catalogue(): readonly MetricInfo[] {
    return this.set.catalogue
  }

  get registry() {
    return this.set.registry
  }

  /** Adds prom-client's metrics of the process. */
  collectProcess(): void {
    this.set.collectProcess()
  }

  /** The exposition text for Prometheus. */
  text(): Promise<string> {
    return this.registry.metrics()
  }

  get contentType(): string {
    return this.registry.contentType
  }
}
