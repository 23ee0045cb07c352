import type { Manifest } from '../manifest.js'
import type { Check } from './check.js'
import { configuration, secrets, variables } from './config.js'
import { gateway } from './gateway.js'
import { customKinds, monitoring } from './monitoring.js'
import { policies, ports, serving } from './network.js'
import { drains, oneWriter, selectors } from './objects.js'
import { images, probes, resources, restricted, shutdown } from './pod.js'
import { scaling, workerScaling } from './scaling.js'
import { storage } from './storage.js'
import { leader, workers } from './workers.js'

/** @param daemon  the manifests that the monitoring watches, where it is applied apart */
export const allChecks = (daemon: readonly Manifest[]): ReadonlyMap<string, Check> =>
  new Map(
    Object.entries({
      ...{
        configuration,
        variables,
        secrets,
        ports,
        serving,
        policies,
        restricted,
        resources,
        images,
        probes,
        shutdown,
      },
      ...{
        selectors,
        oneWriter,
        drains,
        storage,
        scaling,
        workerScaling,
        gateway,
        workers,
        leader,
        monitoring: monitoring(daemon),
        customKinds,
      },
    }),
  )
