import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What must hold for the arms. */
export function* canaryRules({ canary, publish }: Config): Generator<Problem> {
  const { share, controlShare, control, baseModel } = canary
  // each canary has a slice of its own, of the users that are not control
  if (share > 0 && share + controlShare > 0.9)
    yield { key: 'canary.share', text: 'expected at most 0.9 with canary.controlShare: live needs the rest' }
  if (control !== 'base' && !/^v\d{8,15}$/.test(control))
    yield { key: 'canary.control', text: 'expected base, or a version such as v00001234' }
  const isAsked = publish.targets.some(({ kind }) => kind !== 'directory')
  if (controlShare > 0 && control === 'base' && baseModel === null && !isAsked)
    yield { key: 'canary.baseModel', text: 'required with canary.controlShare if publish.targets has no servers' }
}
