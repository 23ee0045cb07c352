import { daemonOf, ofKind, podsOf } from '../manifest.js'
import { type Check, when } from './check.js'
import { configOf } from './config.js'

/** Where the image itself has a model: what scripts/copy-assets.mjs copies. */
const EMBEDDED_MODEL = '/app/dist/demo/model'
/** Filled by whoever deploys: docs/deployment.md. */
const OUTSIDE_CLAIMS = ['bcod-model']

export const storage: Check = {
  name: 'what is mounted is there, and what is written lies on a volume that may be written',
  findings: (manifests) => {
    const templates = new Map(
      ofKind(manifests, 'StatefulSet').map(({ metadata, spec }) => [metadata.name, spec.volumeClaimTemplates ?? []]),
    )
    const unknown = podsOf(manifests).flatMap(({ name: owner, pod: { volumes = [] }, containers }) => {
      const claimed = templates.get(owner) ?? []
      const names = [...volumes, ...claimed.map((claim) => claim.metadata)].map((v) => v.name)
      const mounted = containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map((v) => v.name))
      const claims = [
        ...OUTSIDE_CLAIMS,
        ...manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim').map((claim) => claim.metadata.name),
      ]
      return [
        ...mounted.flatMap((name) => when(!names.includes(name), `${owner} mounts ${name}, which is not there`)),
        ...names.flatMap((name) => when(!mounted.includes(name), `${owner} does not mount ${name}`)),
        ...volumes.flatMap(({ persistentVolumeClaim: claim }) =>
          when(claim !== undefined && !claims.includes(claim.claimName), `there is no claim ${claim?.claimName}`),
        ),
      ]
    })
    const mounts = daemonOf(manifests)?.spec.template.spec.containers[0]?.volumeMounts
    if (!mounts) return unknown
    const { checkpoint, adapters, model } = configOf(manifests)
    const under = (path: string, writable: boolean) =>
      mounts.some(
        ({ mountPath, readOnly = false }) => `${path}/`.startsWith(`${mountPath}/`) && !(writable && readOnly),
      )
    return [
      ...unknown,
      ...[checkpoint.dir, adapters.dir, '/tmp'].flatMap((path) =>
        when(!under(path, true), `${path} cannot be written`),
      ),
      ...when(!under(model.path, false) && model.path !== EMBEDDED_MODEL, `${model.path} is on no volume`),
    ]
  },
}
