// What makes the stand-ins: images for a machine that reaches the registries of packages, and none of images.
import { execFileSync } from 'node:child_process'

export const run = (command, ...args) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 2] }).trim()

/** Runs a command in the container, where no user namespace can be made either. */
export const runIn = (container, ...command) =>
  run('buildah', 'run', '--isolation', 'chroot', '--network', 'host', container, '--', ...command)

/** Makes the image `name` of `from` and what `change` does to a container of it. It bears the label bcod.stand-in. */
export function commit(from, name, change) {
  const container = run('buildah', 'from', '--pull-never', from)
  try {
    change(container)
    run('buildah', 'config', '--label', 'bcod.stand-in=true', container)
    run('buildah', 'commit', '--quiet', container, name)
  } finally {
    run('buildah', 'rm', container)
  }
}
