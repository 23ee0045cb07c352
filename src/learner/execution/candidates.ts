import { type CpuSettings, cpuSettings, type WantedCpuSettings } from '../../engine/environment.js'
import type { Machine } from './machine.js'

/** One way to run the programs on a CPU. */
export interface Execution extends CpuSettings {
  readonly executor: 'graph' | 'xla'
}

/** What the configuration says of it: `auto` and 0 are left to the rule, or to a measurement. */
export interface WantedExecution extends Required<Omit<WantedCpuSettings, 'places'>> {
  readonly executor: 'auto' | Execution['executor']
  readonly places?: number
}

/**
 * What is worth trying on a CPU, that of the rule first. Each of the others differs from it in one thing that neither the
 * configuration nor the environment has set:
 *
 * - XLA for the whole step, which fuses more and calls fewer kernels;
 * - Eigen's products, which start faster and wait less for each other than oneDNN's; in f32, for in bf16 they are slow
 *   everywhere;
 * - one thread between operations, so that a small kernel wakes nobody;
 * - one thread for each core, where the processor has two.
 */
export function candidates(
  wanted: WantedExecution & { readonly dtype: 'f32' | 'bf16' },
  machine: Pick<Machine, 'threads' | 'threadsPerCore'>,
  environment: NodeJS.ProcessEnv = process.env,
): readonly Execution[] {
  const rule: Execution = {
    executor: wanted.executor === 'auto' ? 'graph' : wanted.executor,
    ...cpuSettings(wanted, environment),
  }
  const isGraph = rule.executor === 'graph'
  const kernelsAreFree = wanted.kernels === 'auto' && environment.TF_ENABLE_ONEDNN_OPTS === undefined
  const cores = Math.floor(machine.threads / machine.threadsPerCore)
  const places = wanted.places ?? 1
  return [
    rule,
    ...(wanted.executor === 'auto' ? [{ ...rule, executor: 'xla' as const }] : []),
    ...(isGraph && kernelsAreFree && wanted.dtype === 'f32' ? [{ ...rule, kernels: 'eigen' as const }] : []),
    ...(wanted.interOpThreads === 0 && rule.interOpThreads > 1 && places === 1 ? [{ ...rule, interOpThreads: 1 }] : []),
    ...(wanted.threads === 0 && cores > 0 && cores < rule.threads
      ? [{ ...rule, ...cpuSettings({ ...wanted, threads: cores }, environment) }]
      : []),
  ]
}

/** For people. */
export const describeExecution = ({ executor, kernels, threads, interOpThreads }: Execution): string =>
  `${executor}, ${kernels}, ${threads} threads, ${interOpThreads} between operations`
