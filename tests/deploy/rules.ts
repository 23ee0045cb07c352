import { readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'

export interface AlertRule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** The groups of the PrometheusRule that is deployed: what Prometheus takes as a rule file. */
export function ruleGroups(): {
  readonly groups: readonly { readonly name: string; readonly rules: readonly AlertRule[] }[]
} {
  return { groups: manifest().spec.groups }
}

export const alerts = (): readonly AlertRule[] => ruleGroups().groups.flatMap(({ rules }) => rules)

export function manifest() {
  const [document, ...more] = parseAllDocuments(readFileSync('deploy/k8s/overlays/monitoring/rules.yaml', 'utf8'))
  if (document === undefined || more.length > 0 || document.errors.length > 0)
    throw new Error(`rules.yaml is not one document: ${document?.errors}`)
  return document.toJS()
}
