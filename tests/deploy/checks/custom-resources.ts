// The part that is used here of the kinds of KEDA (2.13 and newer) and the Prometheus operator (0.60 and newer), with
// nothing beside it: an unknown field is an error, as a typing mistake would be.

const text = { type: 'string', minLength: 1 }
const count = { type: 'integer', minimum: 0 }
const seconds = { type: 'string', pattern: '^([0-9]+(ms|s|m|h|d))+$' }
const labels = { type: 'object', additionalProperties: { type: 'string' } }

const object = (required: Record<string, unknown>, optional: Record<string, unknown> = {}) => ({
  type: 'object',
  properties: { ...required, ...optional },
  required: Object.keys(required),
  additionalProperties: false,
})
const list = (items: object) => ({ type: 'array', minItems: 1, items })

const selector = object({}, { matchLabels: labels })

/** `apiVersion kind` → JSON Schema of its `spec`. */
export const customResources: Readonly<Record<string, object>> = {
  'keda.sh/v1alpha1 ScaledObject': object(
    {
      scaleTargetRef: object({ name: text }, { apiVersion: text, kind: text }),
      triggers: list(
        object({ type: text, metadata: labels }, { name: text, authenticationRef: object({ name: text }) }),
      ),
    },
    {
      ...{ minReplicaCount: count, maxReplicaCount: count, pollingInterval: count },
      ...{ cooldownPeriod: count, initialCooldownPeriod: count },
      advanced: object({}, { restoreToOriginalReplicaCount: { type: 'boolean' } }),
    },
  ),
  'keda.sh/v1alpha1 TriggerAuthentication': object({
    secretTargetRef: list(object({ parameter: text, name: text, key: text })),
  }),
  'monitoring.coreos.com/v1 PodMonitor': object(
    {
      selector,
      podMetricsEndpoints: list(object({ port: text }, { path: text, interval: seconds, scrapeTimeout: seconds })),
    },
    { jobLabel: text },
  ),
  'monitoring.coreos.com/v1 PrometheusRule': object({
    groups: list(
      object(
        {
          name: text,
          rules: list({
            ...object(
              { expr: text },
              { alert: text, record: text, for: seconds, keep_firing_for: seconds, labels, annotations: labels },
            ),
            oneOf: [{ required: ['alert'] }, { required: ['record'] }],
          }),
        },
        { interval: seconds },
      ),
    ),
  }),
}
