import { fileURLToPath } from 'node:url'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { createGenerator } from 'ts-json-schema-generator'

interface Schema {
  readonly definitions: Readonly<Record<string, { properties: Record<string, unknown> }>>
}

/**
 * Grafana's own types of a dashboard as a strict JSON schema: a key that they do not have is an error.
 *
 * Two things that the types leave open are closed here: what has the type `row` is a row and everything else a panel;
 * and the queries are Prometheus queries.
 */
export function dashboardSchema(): ValidateFunction {
  const schema = schemaOf('dashboard', 'Dashboard')
  const { definitions } = schema
  const queries = Object.entries(schemaOf('prometheus', 'Dataquery').definitions).map(
    ([name, definition]) => [`Prometheus${name}`, renamed(definition)] as const,
  )
  Object.assign(definitions, Object.fromEntries(queries))
  const panel = { $ref: '#/definitions/Panel' }
  definitions.Dashboard!.properties.panels = {
    type: 'array',
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    items: { if: { properties: { type: { const: 'row' } } }, then: { $ref: '#/definitions/RowPanel' }, else: panel },
  }
  definitions.RowPanel!.properties.panels = { type: 'array', items: panel }
  definitions.Panel!.properties.targets = { type: 'array', items: { $ref: '#/definitions/PrometheusDataquery' } }
  return new Ajv({ strict: false, allErrors: true }).compile(schema)
}

/** Where a document breaks the schema, and how. */
export const problems = (errors: readonly ErrorObject[] | null | undefined): readonly string[] =>
  (errors ?? [])
    .filter(({ keyword }) => keyword !== 'if')
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)

const renamed = (definition: object) =>
  JSON.parse(JSON.stringify(definition).replaceAll('#/definitions/', '#/definitions/Prometheus'))

function schemaOf(module: string, type: string): Schema {
  const path = fileURLToPath(import.meta.resolve(`@grafana/grafana-foundation-sdk/${module}`))
  return createGenerator({
    path: path.replace(/index\.js$/, 'types.gen.d.ts'),
    type,
    skipTypeCheck: true,
    additionalProperties: false,
    expose: 'all',
  }).createSchema(type) as unknown as Schema
}
