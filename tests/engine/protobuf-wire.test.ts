import fc from 'fast-check'
import { expect, it } from 'vitest'
import { clusterSessionConfig, serverDefinition } from '../../src/engine/cluster/definitions.js'
import { bytes, fieldsOf, message, varint } from '../../src/engine/protobuf-wire.js'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

// https://protobuf.dev/programming-guides/encoding
it('fields are written as protobuf’s documentation has them', () => {
  expect(varint(1, 150)).toEqual(hex('08 96 01'))
  expect(bytes(2, 'testing')).toEqual(hex('12 07 74 65 73 74 69 6e 67'))
  expect(bytes(3, varint(1, 150))).toEqual(hex('1a 03 08 96 01'))
})

it('what is written is read back', () => {
  const field = fc.record({
    field: fc.integer({ min: 1, max: 2 ** 28 }),
    value: fc.oneof(fc.nat(Number.MAX_SAFE_INTEGER), fc.uint8Array({ maxLength: 300 })),
  })
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      const written = message(
        ...fields.map(({ field, value }) => (typeof value === 'number' ? varint(field, value) : bytes(field, value))),
      )
      const expected = fields.map(({ field, value }) => ({
        field,
        value: typeof value === 'number' ? BigInt(value) : Buffer.from(value),
      }))
      expect([...fieldsOf(written)]).toEqual(expected)
    }),
  )
})

it('numbers of eight and four bytes are skipped over as bytes, and what is cut short is refused', () => {
  const fixed = hex('09 01 00 00 00 00 00 00 00 15 02 00 00 00')
  expect([...fieldsOf(fixed)]).toEqual([
    { field: 1, value: hex('01 00 00 00 00 00 00 00') },
    { field: 2, value: hex('02 00 00 00') },
  ])
  for (const broken of ['09 01', '12 07 74', '08', '08 ff ff ff ff ff ff ff ff ff ff ff', '0b'])
    expect(() => [...fieldsOf(hex(broken))], broken).toThrow(RangeError)
})

/** As protobuf's own library for Python writes what stands beside it; entries of a map may come in any order. */
it.each([
  [
    // cluster { job { name: "w" tasks { key: 0 value: "a:1" } } } job_name: "w"
    // default_session_config { intra_op_parallelism_threads: 2 inter_op_parallelism_threads: 4 } protocol: "grpc"
    serverDefinition({ job: 'w', address: 'a:1', threads: 2, interOpThreads: 4 }),
    '0a 0e 0a 0c 0a 01 77 12 07 08 00 12 03 61 3a 31 12 01 77 22 04 10 02 28 04 2a 04 67 72 70 63',
  ],
  [
    // graph_options { rewrite_options { disable_meta_optimizer: true } } operation_timeout_in_ms: 300
    // cluster_def { job { name: "learner" tasks { key: 0 value: "a" } tasks { key: 1 value: "b" } } }
    // experimental { share_session_state_in_clusterspec_propagation: true }
    clusterSessionConfig({ addresses: ['a', 'b'], operationTimeout: 300 }),
    '52 05 52 03 98 01 01 58 ac 02 72 19 0a 17 0a 07 6c 65 61 72 6e 65 72 12 05 08 00 12 01 61 12 05 08 01 12 01 62 82 01 02 40 01',
  ],
])('TensorFlow’s messages have the bytes of its own definitions', (written, expected) => {
  expect(Buffer.from(written)).toEqual(hex(expected))
})
