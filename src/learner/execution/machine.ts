import { readFileSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'

/** What of a machine decides how programs run fastest. */
export interface Machine {
  /** Name of the processor; a virtual machine may give many the same one. */
  readonly processor: string
  /** Its instructions for vectors and matrices. */
  readonly instructions: readonly string[]
  /** Hardware threads that this process may use. */
  readonly threads: number
  readonly threadsPerCore: number
}

/** @param cpuinfo  what Linux says of the processors; elsewhere, each thread counts as a core */
export function thisMachine(cpuinfo = readCpuInfo()): Machine {
  const field = (name: string) => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(cpuinfo)?.[1]
  const flags = field('flags')?.trim().split(/\s+/) ?? []
  const [siblings, cores] = [Number(field('siblings') ?? 1), Number(field('cpu cores') ?? 1)]
  return {
    processor: (field('model name') ?? cpus()[0]?.model ?? 'unknown').trim(),
    instructions: flags.filter((flag) => /^(avx|amx|fma)/.test(flag)).sort(),
    threads: availableParallelism(),
    threadsPerCore: siblings > cores && siblings % cores === 0 ? siblings / cores : 1,
  }
}

function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}
