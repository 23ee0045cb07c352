import { describe, expect, it } from 'vitest'
import { Metrics } from '../../src/telemetry/metrics.js'
import { CONTRACT } from './contract.js'

describe('the metrics', () => {
  it.each(CONTRACT)('hold bcod_%s with its labels', (name, ...labels) => {
    const info = new Metrics().catalogue.find((metric) => metric.name === `bcod_${name}`)
    expect(info?.labels).toEqual(labels)
  })

  it('are named by the conventions of Prometheus', () => {
    for (const { name, type, help } of new Metrics().catalogue) {
      expect(name).toMatch(/^bcod_[a-z_]+[a-z]$/)
      expect(name.endsWith('_total')).toBe(type === 'counter')
      expect(help).toMatch(/\.$/)
    }
  })

  it('declare each in the exposition, also before its first value', async () => {
    const text = await new Metrics().text()
    for (const [name] of CONTRACT) expect(text).toContain(`# TYPE bcod_${name} `)
  })

  it('start counters of known labels at 0 and leave unmeasured gauges out', async () => {
    const text = await new Metrics().text()
    expect(text).toContain('bcod_feedback_events_total{label="retract"} 0')
    expect(text).toContain('bcod_feedback_dropped_total{reason="completion_too_long"} 0')
    expect(text).toContain('bcod_adapter_publish_total{outcome="rejected"} 0')
    expect(text).toContain('bcod_dead_letters_total{code="TRAIN_NONFINITE"} 0')
    expect(text).toContain('bcod_embedded_prompts_total{outcome="failed"} 0')
    expect(text).not.toMatch(/^bcod_checkpoint_free_bytes /m)
    expect(text).not.toMatch(/^bcod_train_loss /m)
  })

  it('are kept apart by instance, and include the process when asked', async () => {
    const one = new Metrics()
    const other = new Metrics()
    one.training.trainSteps.inc()
    one.collectProcess()
    expect(await one.text()).toMatch(/^bcod_train_steps_total 1$/m)
    expect(await one.text()).toMatch(/^process_resident_memory_bytes \d/m)
    expect(await one.text()).toContain('nodejs_eventloop_lag_seconds')
    expect(await other.text()).toMatch(/^bcod_train_steps_total 0$/m)
    expect(await other.text()).not.toContain('process_')
  })
})
