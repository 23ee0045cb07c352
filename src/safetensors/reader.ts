import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { BcodError } from '../errors.js'
import { FOREIGN_HEAD_BYTES, foreignFile } from '../files/foreign.js'
import { toFloat32 } from './floats.js'
import { type Header, MAX_HEADER_BYTES, parseHeader, type TensorInfo } from './header.js'

/** Named tensors on disk, each read when it is asked for. */
export interface TensorReader {
  /** Where they are, for errors. */
  readonly place: string
  readonly names: readonly string[]
  has(name: string): boolean
  /** @throws MODEL_TENSOR_MISSING */
  info(name: string): TensorInfo
  /** Where a tensor's elements are stored. @throws MODEL_TENSOR_MISSING */
  location(name: string): TensorLocation
  /** The elements as they are stored, little-endian, in a buffer of their own. @throws MODEL_TENSOR_MISSING */
  bytes(name: string): Uint8Array<ArrayBuffer>
  /**
   * The elements as f32; F32, F16 and BF16 without any rounding.
   * @throws MODEL_TENSOR_MISSING, or SAFETENSORS_INVALID for a type without such a reading
   */
  floats(name: string): Float32Array<ArrayBuffer>
  close(): void
}

/** Bytes of a file. */
export interface TensorLocation {
  readonly path: string
  /** First byte, from the beginning of the file. */
  readonly begin: number
  readonly bytes: number
}

/**
 * Opens one safetensors file and validates its header; tensor bytes stay on disk.
 * Format: https://github.com/huggingface/safetensors#format
 *
 * @throws MODEL_FILE_MISSING, SAFETENSORS_INVALID, FILE_FOREIGN
 */
export function openSafetensors(path: string): SafetensorsFile {
  let descriptor: number
  try {
    descriptor = openSync(path, 'r')
  } catch (cause) {
    throw new BcodError('MODEL_FILE_MISSING', `cannot be opened (${(cause as NodeJS.ErrnoException).code})`, {
      place: path,
      cause,
    })
  }
  try {
    return new SafetensorsFile(path, descriptor)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

export class SafetensorsFile implements TensorReader {
  readonly metadata: ReadonlyMap<string, string>
  private readonly tensors: Header['tensors']
  private readonly dataBegin: number

  constructor(
    readonly path: string,
    private readonly descriptor: number,
  ) {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) this.fail('is not a file')
    const fileBytes = stat.size
    if (fileBytes === 0) this.fail('is empty')
    const head = this.range(0, Math.min(fileBytes, FOREIGN_HEAD_BYTES))
    // any bytes may be a header's length, but a header begins with {
    const foreign = head[8] === 0x7b ? null : foreignFile(head)
    if (foreign !== null) throw new BcodError('FILE_FOREIGN', foreign.what, { place: path, remedy: foreign.remedy })
    if (fileBytes < 8) this.fail(`file is cut short: a header length takes 8 bytes, got ${fileBytes}`)
    const headerBytes = Number(new DataView(this.range(0, 8).buffer).getBigUint64(0, true))
    if (headerBytes > MAX_HEADER_BYTES) this.fail(`header of ${headerBytes} bytes, at most ${MAX_HEADER_BYTES} allowed`)
    this.dataBegin = 8 + headerBytes
    if (this.dataBegin > fileBytes) {
      this.fail(`file is cut short: the header ends at byte ${this.dataBegin}, the file has ${fileBytes}`)
    }
    const header = parseHeader(this.range(8, headerBytes), fileBytes - this.dataBegin, path)
    this.metadata = header.metadata
    this.tensors = header.tensors
  }

  get place(): string {
    return this.path
  }

  get names(): readonly string[] {
    return [...this.tensors.keys()]
  }

  has(name: string): boolean {
    return this.tensors.has(name)
  }

  info(name: string): TensorInfo {
    const info = this.tensors.get(name)
    if (!info) throw new BcodError('MODEL_TENSOR_MISSING', `no tensor ${name}`, { place: this.path })
    return info
  }

  location(name: string): TensorLocation {
    const { begin, end } = this.info(name)
    return { path: this.path, begin: this.dataBegin + begin, bytes: end - begin }
  }

  bytes(name: string): Uint8Array<ArrayBuffer> {
    const { begin, end } = this.info(name)
    return this.range(this.dataBegin + begin, end - begin)
  }

  floats(name: string): Float32Array<ArrayBuffer> {
    const { dtype } = this.info(name)
    return toFloat32(this.bytes(name), dtype) ?? this.fail(`tensor ${name} of ${dtype} cannot be read as floats`)
  }

  close(): void {
    closeSync(this.descriptor)
  }

  private range(position: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      const read = readSync(this.descriptor, bytes, done, Math.min(length - done, READ_AT_ONCE), position + done)
      if (read === 0) this.fail(`file is cut short: expected ${position + length} bytes, got ${position + done}`)
      done += read
    }
    return bytes
  }

  private fail(message: string): never {
    throw new BcodError('SAFETENSORS_INVALID', message, { place: this.path })
  }
}

/** The system call takes less than 2 GiB. */
const READ_AT_ONCE = 2 ** 30
