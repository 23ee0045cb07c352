import { FEEDBACK_TYPE } from './cloud-event.js'
import { RESERVED_ARGUMENTS } from './content.js'
import { MAX_NAME_LENGTH } from './fields.js'
import { ROLES } from './messages.js'

const optional = (schema: object) => ({ anyOf: [{ type: 'null' }, schema] })
const ref = (name: string) => ({ $ref: `#/$defs/${name}` })
const absent = (key: string) => ({ properties: { [key]: { type: 'null' } } })

const tokenIds = { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } }

const textPart = {
  type: 'object',
  required: ['type', 'text'],
  properties: { type: { enum: ['text', 'input_text', 'output_text'] }, text: { type: 'string' } },
}

const object = { type: 'object' }
const optionalText = optional({ type: 'string' })

/** `{"function": {"name", "arguments"}}`, or name and arguments on their own. */
const called = {
  type: 'object',
  required: ['name'],
  properties: { name: { type: 'string', minLength: 1 }, arguments: optional({ anyOf: [{ type: 'string' }, object] }) },
}
const toolCall = {
  ...object,
  anyOf: [{ required: ['function'], properties: { function: called } }, { allOf: [absent('function'), called] }],
}
const content = { anyOf: [{ type: 'string' }, { type: 'array', minItems: 1, items: textPart }] }

const message = {
  type: 'object',
  required: ['role'],
  properties: {
    role: { enum: ROLES },
    name: optionalText,
    tool_call_id: optionalText,
    tool_calls: optional({ type: 'array', items: toolCall }),
    function_call: optional(called),
    reasoning_content: optionalText,
    reasoning: optionalText,
    thinking: optionalText,
  },
  anyOf: [
    { required: ['content'], properties: { content } },
    {
      allOf: [
        absent('content'),
        { required: ['tool_calls'], properties: { tool_calls: { type: 'array', minItems: 1 } } },
      ],
    },
    { allOf: [absent('content'), { required: ['function_call'], properties: { function_call: object } }] },
  ],
}

const text = { type: 'string', minLength: 1 }
const messages = { type: 'array', minItems: 1, items: message }

/** Exact ids, beside which the text is not read; else text, or messages. */
const side = (name: string) => ({
  anyOf: [
    { required: [`${name}_tokens`], properties: { [`${name}_tokens`]: tokenIds } },
    { allOf: [absent(`${name}_tokens`), { required: [name], properties: { [name]: { anyOf: [text, messages] } } }] },
  ],
})

/** Messages as a completion continue messages. */
const continuation = {
  anyOf: [
    { required: ['completion_tokens'], properties: { completion_tokens: { type: 'array' } } },
    { properties: { completion: { type: 'string' } } },
    { allOf: [absent('prompt_tokens'), { properties: { prompt: { type: 'array' } } }] },
  ],
}

/** What goes into the chat template beside the messages. */
const rendering = {
  properties: {
    tools: optional({ type: 'array', items: object }),
    chat_template_kwargs: optional({ type: 'object', propertyNames: { not: { pattern: RESERVED_ARGUMENTS } } }),
  },
}

/**
 * What the value of a record may be, as JSON Schema (draft 2020-12), for publishers to check against: a structured
 * CloudEvent or a bare row. bcod itself checks by hand (`toFeedback`), which is faster and says more; that the two
 * agree is tested. Not in it: token ids must be below the model's vocabulary, and how deep tools and their calls may nest.
 */
export const feedbackSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: FEEDBACK_TYPE,
  type: 'object',
  anyOf: [ref('cloudEvent'), { allOf: [{ not: ref('marked') }, ref('data')] }],
  $defs: {
    marked: {
      anyOf: [
        { required: ['specversion'] },
        { required: ['data'] },
        { required: ['data_base64'] },
        { required: ['type'], properties: { type: { const: FEEDBACK_TYPE } } },
      ],
    },
    name: { type: 'string', minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: '^\\P{Surrogate}*$' },
    id: {
      anyOf: [ref('name'), { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
    },
    cloudEvent: {
      required: ['specversion', 'type', 'source', 'id', 'data'],
      properties: {
        specversion: { const: '1.0' },
        type: { const: FEEDBACK_TYPE },
        source: ref('name'),
        id: ref('id'),
        time: { description: 'RFC 3339, or any other form: it is not read from a topic.' },
        subject: optional(ref('id')),
        data: ref('data'),
      },
    },
    data: {
      type: 'object',
      required: ['label'],
      properties: {
        label: { type: ['boolean', 'null'] },
        user: optional({ anyOf: [ref('id'), { const: '' }] }),
        adapter: optional(ref('name')),
        logprob: optional({ type: 'number' }),
        weight: optional({ type: 'number', minimum: 0, maximum: 1 }),
        finish_reason: optional(ref('name')),
      },
      anyOf: [
        { properties: { label: { type: 'null' } } },
        { allOf: [side('prompt'), side('completion'), continuation, rendering] },
      ],
    },
  },
} as const
