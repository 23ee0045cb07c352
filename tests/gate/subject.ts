import type { Adapter } from '../../src/adapters/weights/adapter.js'
import type { GateModel, GateSubject, GateVersion } from '../../src/gate/check.js'

/** An adapter of these matrices: A [r, in] and B [out, r] of each module. */
export function adapterOf(
  modules: Readonly<Record<string, { readonly a: readonly number[][]; readonly b: readonly number[][] }>>,
  options: Partial<Pick<Adapter, 'alpha' | 'rslora'>> = {},
): Adapter {
  const matrix = (rows: readonly number[][]) => ({
    shape: [rows.length, rows[0]!.length],
    data: Float32Array.from(rows.flat()),
  })
  const entries = Object.entries(modules).flatMap(([module, { a, b }]) => [
    [`base_model.model.${module}.lora_A.weight`, matrix(a)] as const,
    [`base_model.model.${module}.lora_B.weight`, matrix(b)] as const,
  ])
  const r = Object.values(modules)[0]!.a.length
  const targets = Object.keys(modules).map((module) => module.split('.').at(-1) as string)
  return { r, alpha: r, rslora: false, baseModel: null, ...options, targets, tensors: new Map(entries) }
}

const PLAIN = adapterOf({ 'model.layers.0.self_attn.q_proj': { a: [[1, 0]], b: [[0], [0]] } })

export const versionOf = (version: string, adapter: Adapter = PLAIN): GateVersion => ({
  ...{ version, adapter, directory: `/registry/${version}`, delta: 0 },
})

const unasked = () => Promise.reject(new Error('nobody should ask for this'))

/** A subject whose model answers only what the test gives it. */
export const subjectOf = (model: Partial<GateModel>, given: Partial<GateSubject> = {}): GateSubject => ({
  candidate: versionOf('v00000020'),
  live: versionOf('v00000010'),
  model: { logps: unasked, divergences: unasked, answers: unasked, weightNorms: unasked, ...model },
  signal: new AbortController().signal,
  ...given,
})
