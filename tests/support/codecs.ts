import kafkajs from 'kafkajs'
import { BcodError } from '../../src/errors.js'
import { FinalFailure } from '../../src/streams/kafka/failure.js'
import { DEFAULT_BATCH_BYTES } from '../../src/streams/kafka/options.js'
import { Budget } from '../../src/streams/wire/budget.js'
import { unpack } from '../../src/streams/wire/unpack.js'

const { CompressionCodecs, CompressionTypes } = kafkajs

/**
 * Gives kafkajs the codecs that it lacks, to publish with; zstd is only read. bcod itself publishes without compression,
 * and what it reads does not come by here: streams/wire unpacks it by the same decoders.
 */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.GZIP] = codec(CompressionTypes.GZIP, async (plain) => {
    const { gzipSync } = await import('node:zlib')
    return gzipSync(plain)
  })
  CompressionCodecs[CompressionTypes.Snappy] = codec(CompressionTypes.Snappy, async (plain) => {
    const { compress } = await import('snappy')
    return frameXerial(plain, compress)
  })
  CompressionCodecs[CompressionTypes.LZ4] = codec(CompressionTypes.LZ4, async (plain) => {
    const { compressFrame } = await import('lz4-napi')
    return compressFrame(plain)
  })
  CompressionCodecs[CompressionTypes.ZSTD] = codec(CompressionTypes.ZSTD, async () => {
    throw new FinalFailure(new BcodError('KAFKA_CODEC_UNKNOWN', 'zstd is read, not written'))
  })
}

/** A codec in kafkajs's form. */
function codec(type: number, compress: (plain: Buffer) => Promise<Buffer>) {
  return () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: async (packed: Buffer) => {
      try {
        return unpack(type, packed, new Budget(DEFAULT_BATCH_BYTES))
      } catch (error) {
        throw error instanceof BcodError ? new FinalFailure(error) : error
      }
    },
  })
}

/** Magic of snappy-java's block stream, then its version and lowest compatible version, both 1. */
const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1])
const XERIAL_BLOCK = 32 * 1024

async function frameXerial(plain: Buffer, compress: (block: Buffer) => Promise<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [XERIAL_HEADER]
  for (let at = 0; at < plain.length; at += XERIAL_BLOCK) {
    const block = await compress(plain.subarray(at, at + XERIAL_BLOCK))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}
