import { targetOf } from '../containers.js'
import type { KeepingServer } from './keep-weights.js'
import type { KeptVariable } from './kept-variable.js'
import type { KeepingDevice } from './weight-graph.js'

/**
 * Who is to have the kept variables of a session over leader and workers.
 *
 * @param keepersOf  the devices that a variable is at, by their full names
 * @param workers    `host:port` of the session's tasks after the first, which is the leader
 * @param target     of the leader
 */
export function keepingServers(
  variables: readonly KeptVariable[],
  keepersOf: (name: string) => readonly string[],
  workers: readonly string[],
  target: string,
): readonly KeepingServer[] {
  const devices = new Map<string, KeptVariable[]>()
  for (const variable of variables)
    for (const device of keepersOf(variable.name)) devices.set(device, [...(devices.get(device) ?? []), variable])
  const byTask = new Map<number, KeepingDevice[]>()
  for (const [device, its] of devices) {
    const [, task, name] = /\/task:(\d+)(\/device:.*)$/.exec(device) ?? []
    if (name === undefined) throw new Error(`${device} is no device of a task`)
    byTask.set(Number(task), [...(byTask.get(Number(task)) ?? []), { device: name, variables: its }])
  }
  return [...byTask].map(([task, its]) => {
    const worker = workers[task - 1] ?? null
    return { worker, target: worker === null ? target : targetOf(worker), devices: its }
  })
}
