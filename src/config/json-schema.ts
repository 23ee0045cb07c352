import { schema } from './schema.js'
import { isSetting, type Setting } from './setting.js'
import { BYTES_PATTERN, DURATION_PATTERN } from './units.js'

/** JSON Schema (draft 2020-12) of the configuration file, for editors and CI. */
export function jsonSchema(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'bcod configuration',
    ...groupSchema(schema),
  }
}

function groupSchema(group: object): Record<string, unknown> {
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      Object.entries(group).map(([name, child]) => [name, isSetting(child) ? keySchema(child) : groupSchema(child)]),
    ),
  }
}

function keySchema(setting: Setting<unknown>): Record<string, unknown> {
  const about = {
    description: setting.doc,
    default: setting.fallback,
    ...(setting.sensitive ? { writeOnly: true } : {}),
  }
  const values = valueSchema(setting)
  return setting.nullable ? { ...about, anyOf: [values, { type: 'null' }] } : { ...about, ...values }
}

function valueSchema(setting: Setting<unknown>): Record<string, unknown> {
  const { format, range, choices, repeats, fields } = setting
  switch (format) {
    case 'text':
      return { type: 'string', minLength: 1 }
    case 'integer':
    case 'real':
      return { type: format === 'integer' ? 'integer' : 'number', ...bounds(range) }
    case 'flag':
      return { type: 'boolean' }
    case 'choice':
      return { enum: choices }
    case 'duration':
      return { anyOf: [{ type: 'string', pattern: DURATION_PATTERN }, { const: 0 }] }
    case 'bytes':
      return {
        anyOf: [
          { type: 'string', pattern: BYTES_PATTERN },
          { type: 'integer', minimum: 0 },
        ],
      }
    case 'object':
      return { type: 'object' }
    case 'records': {
      const properties = Object.fromEntries(
        Object.entries(fields ?? {}).map(([name, field]) => [name, keySchema(field)]),
      )
      return { type: 'array', items: { type: 'object', additionalProperties: false, properties } }
    }
    case 'autoOrList':
      return { anyOf: [{ const: 'auto' }, { ...valueSchema({ ...setting, format: 'list' }), minItems: 1 }] }
    case 'list': {
      const items = choices.length === 0 ? { type: 'string', minLength: 1 } : { enum: choices }
      return {
        type: 'array',
        items,
        ...(repeats ? {} : { uniqueItems: true }),
        ...(choices.length === 0 ? {} : { minItems: 1 }),
      }
    }
  }
}

const bounds = ({ min, max, above, below }: Setting<unknown>['range']): Record<string, number> => ({
  ...(min === undefined ? {} : { minimum: min }),
  ...(max === undefined ? {} : { maximum: max }),
  ...(above === undefined ? {} : { exclusiveMinimum: above }),
  ...(below === undefined ? {} : { exclusiveMaximum: below }),
})
