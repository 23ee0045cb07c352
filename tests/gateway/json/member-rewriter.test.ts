import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemberRewriter, type Replacement } from '../../../src/gateway/json/member-rewriter.js'

const ID: Replacement = { depth: 1, name: 'id', value: '"new"' }
const MODEL: Replacement = { depth: 1, name: 'model', value: '"asked"' }

/** What comes out if the text comes in pieces of the given sizes, over and over. */
function through(rewriter: MemberRewriter, text: string | Buffer, sizes: readonly number[] = [1 << 20]): string {
  const bytes = Buffer.from(text)
  const out: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number
    out.push(rewriter.push(bytes.subarray(at, at + size)))
    at += size
  }
  return Buffer.concat(out).toString('utf8')
}

const rewritten = (text: string, sizes?: readonly number[]) => through(new MemberRewriter([ID, MODEL]), text, sizes)

describe('a member of the outermost object', () => {
  it('gets its new value, and every other byte stays as it was written', () => {
    const before = '{ "id" : "chatcmpl-1","n":1.50e0 , "model":"m" ,"s":"\\u00e9\\/", "x":[{"id":"tool","model":1}]}\n'
    const after = '{ "id" : "new","n":1.50e0 , "model":"asked" ,"s":"\\u00e9\\/", "x":[{"id":"tool","model":1}]}\n'
    expect(rewritten(before)).toBe(after)
  })

  it.each(['null', '17', '-1.5e3', 'true', '"a\\"b\\\\"', '[1,{"id":"]"},"}"]', '{"id":{"x":"\\""}}', '[]', '""'])(
    'loses its value %s whole',
    (value) => {
      expect(rewritten(`{"id":${value},"a":${value}}`)).toBe(`{"id":"new","a":${value}}`)
      expect(rewritten(`{"a":${value},"id":${value}}`)).toBe(`{"a":${value},"id":"new"}`)
      expect(rewritten(`{"a":1,"id": ${value} }`)).toBe('{"a":1,"id": "new" }')
    },
  )

  it('is told from a text that only looks like it', () => {
    for (const text of ['{"a":"\\"id\\":1"}', '{"ide":1,"i":2}', '["id",{"id":1}]', '{"a":"id","id2":"id"}'])
      expect(rewritten(text)).toBe(text)
  })

  it('is replaced wherever the pieces end, in a character, an escape or a name', () => {
    const before = '{"id":"ä\\"😀","text":"grüße 😀 \\\\","model":"ü","a":{"id":"é"}}'
    const after = '{"id":"new","text":"grüße 😀 \\\\","model":"asked","a":{"id":"é"}}'
    for (let size = 1; size < before.length; size++) expect(rewritten(before, [size])).toBe(after)
  })
})

it('a member may be deeper', () => {
  const rewriter = new MemberRewriter([{ depth: 3, name: 'token_ids', value: 'null' }])
  const text =
    '{"token_ids":[1],"choices":[{"index":0,"token_ids":[1,[2]],"message":{"token_ids":[3]}},{"token_ids":null}]}'
  expect(through(rewriter, text)).toBe(
    '{"token_ids":[1],"choices":[{"index":0,"token_ids":null,"message":{"token_ids":[3]}},{"token_ids":null}]}',
  )
})

it('a member is put in front of the others, once', () => {
  const rewriter = new MemberRewriter([MODEL], { insert: '"return_token_ids":true,' })
  expect(through(rewriter, ' {"messages":[{"a":{}}],"model":"x"}', [1])).toBe(
    ' {"return_token_ids":true,"messages":[{"a":{}}],"model":"asked"}',
  )
})

describe('an event stream', () => {
  const stream = () => new MemberRewriter([ID, MODEL], { lines: true })
  const before = [
    ': comment with a " quote\n\n',
    'event: x\r\ndata: {"id":"a","model":"m","choices":[{"delta":{"content":"\\n"}}]}\r\n\r\n',
    'data:{"id":"a","choices":[\n\n',
    'data: {"id":"cut\n\n',
    'data: {"model":"m","id":"b"}\n\n',
    'data: [DONE]\n\n',
  ].join('')
  const after = [
    ': comment with a " quote\n\n',
    'event: x\r\ndata: {"id":"new","model":"asked","choices":[{"delta":{"content":"\\n"}}]}\r\n\r\n',
    'data:{"id":"new","choices":[\n\n',
    'data: {"id":"new"\n\n',
    'data: {"model":"asked","id":"new"}\n\n',
    'data: [DONE]\n\n',
  ].join('')

  it('has each of its events rewritten, also after one that is broken', () => {
    for (const size of [1, 2, 3, 7, 1000]) expect(through(stream(), before, [size])).toBe(after)
  })

  it('is passed on piece by piece: nothing is held back but what is replaced', () => {
    const rewriter = stream()
    const pieces = ['data: {"id":"a', 'b","cho', 'ices":[{"delta":{"content":"gr\xc3', '\xbc\xc3\x9fe"}}]}\n', '\n']
    expect(pieces.map((each) => rewriter.push(Buffer.from(each, 'latin1')).toString('latin1'))).toEqual([
      'data: {"id":"new"',
      ...[',"cho', 'ices":[{"delta":{"content":"gr\xc3', '\xbc\xc3\x9fe"}}]}\n', '\n'],
    ])
  })
})

it('any JSON in any pieces is what JSON.parse makes of it, with the new values', () => {
  const names = fc.constantFrom('id', 'model', 'choices', 'x', 'i"d', 'é\\')
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      ...[fc.string({ unit: 'grapheme' }), fc.double({ noNaN: true }), fc.boolean(), fc.constant(null)],
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(names, tie('any'), { maxKeys: 5 }),
    ),
  })).any
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(value, sizes, fc.constantFrom(0, 1, '\t'), (any, pieces, indent) => {
      const text = JSON.stringify(any, null, indent)
      const plain = JSON.parse(text)
      const isObject = typeof plain === 'object' && plain !== null && !Array.isArray(plain)
      const expected = isObject
        ? { ...plain, ...('id' in plain && { id: 'new' }), ...('model' in plain && { model: 'asked' }) }
        : plain
      expect(JSON.parse(rewritten(text, pieces))).toEqual(expected)
    }),
    { numRuns: 2000 },
  )
})

it('random bytes never stop it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, lines) => {
      new MemberRewriter([ID], { lines }).push(Buffer.from(bytes))
    }),
  )
})
