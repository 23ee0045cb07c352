import kafkajs from 'kafkajs'
import { BcodError } from '../../errors.js'
import { FinalFailure } from './failure.js'

const { CompressionCodecs, CompressionTypes } = kafkajs

/**
 * Teaches kafkajs snappy, lz4 and zstd (gzip it knows). For the whole process, once, by whoever wires the daemon.
 * A package is loaded when the first batch needs it; zstd is only read, never written.
 */
export function registerCodecs(): void {
  CompressionCodecs[CompressionTypes.Snappy] = codec('snappy', async () => {
    const { compress, uncompress } = await import('snappy')
    return {
      compress: (plain) => frameXerial(plain, async (block) => bytesOf(await compress(block))),
      decompress: (packed) => unframeXerial(packed, async (block) => bytesOf(await uncompress(block))),
    }
  })
  CompressionCodecs[CompressionTypes.LZ4] = codec('lz4', async () => {
    const { compressFrame, decompressFrame } = await import('lz4-napi')
    return { compress: (plain) => compressFrame(plain), decompress: (packed) => decompressFrame(packed) }
  })
  CompressionCodecs[CompressionTypes.ZSTD] = codec('zstd', async () => {
    const { decompress } = await import('fzstd')
    return {
      compress: () => Promise.reject(failure('KAFKA_CODEC_UNKNOWN', 'zstd is read, not written')),
      decompress: async (packed) => bytesOf(decompress(packed)),
    }
  })
}

interface Codec {
  compress(plain: Buffer): Promise<Buffer>
  decompress(packed: Buffer): Promise<Buffer>
}

const failure = (code: 'KAFKA_CODEC_UNKNOWN' | 'KAFKA_BATCH_DAMAGED', message: string, cause?: unknown): FinalFailure =>
  new FinalFailure(new BcodError(code, message, { cause }))

/** A codec in kafkajs's form. */
function codec(name: string, load: () => Promise<Codec>) {
  const loaded = () =>
    load().catch((error) => {
      throw failure('KAFKA_CODEC_UNKNOWN', `the package for ${name} cannot be loaded`, error)
    })
  return () => ({
    compress: async ({ buffer }: { buffer: Buffer }) => (await loaded()).compress(buffer),
    decompress: async (packed: Buffer) => {
      const { decompress } = await loaded()
      return decompress(packed).catch((error) => {
        throw failure('KAFKA_BATCH_DAMAGED', `a ${name} batch could not be unpacked`, error)
      })
    },
  })
}

/** Magic of snappy-java's block stream, then its version and lowest compatible version, both 1. */
const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00, 0, 0, 0, 1, 0, 0, 0, 1])
const XERIAL_MAGIC = XERIAL_HEADER.subarray(0, 8)
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

/** Java and Python clients frame snappy, librdkafka and Go send the bare block. */
async function unframeXerial(packed: Buffer, uncompress: (block: Buffer) => Promise<Buffer>): Promise<Buffer> {
  if (!packed.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return uncompress(packed)
  const parts: Buffer[] = []
  for (let at = XERIAL_HEADER.length; at < packed.length; ) {
    const end = at + 4 + packed.readUInt32BE(at)
    parts.push(await uncompress(packed.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(parts)
}

const bytesOf = (data: Uint8Array | string): Buffer =>
  typeof data === 'string' ? Buffer.from(data, 'latin1') : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
