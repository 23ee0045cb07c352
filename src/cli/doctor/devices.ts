import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { nameOf, resolveDevices } from '../../learner/devices.js'
import { type Finding, fail, pass, warn } from './finding.js'
import type { TensorFlowProbe } from './tensorflow.js'

/** Where steps would be computed, and whether those devices are there. Their bits are compared when the learner starts. */
export function checkDevices(wanted: Config['devices'], probe: TensorFlowProbe, stages = 1): Finding {
  if (!probe.loaded) return warn('devices', 'TensorFlow does not load, so none is known', 'Run make setup.')
  const there = probe.devices.join(', ')
  try {
    const resolved = resolveDevices(wanted, () => probe.devices, stages)
    const places = [...new Set(resolved.map(nameOf))]
    if (stages > 1)
      return pass('devices', `layers in ${stages} stages, on ${places.join(', ') || 'one device'}; there are ${there}`)
    if (places.length === 1)
      return pass('devices', `steps on ${places[0] || (probe.gpu ? 'GPU:0' : 'CPU:0')}; there are ${there}`)
    return pass(
      'devices',
      `steps on ${places.join(', ')}, if they compute the same bits at the start; there are ${there}`,
    )
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return fail('devices', error.line, error.remedy)
  }
}
