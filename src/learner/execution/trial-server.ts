/** The process of one trial: TensorFlow reads how it is to run once, when it is loaded. */
import { prepareEnvironment } from '../../engine/environment.js'
import type { TrialReply, TrialRequest } from './trial-process.js'

let run: (() => number) | null = null

process.title = 'bcod trial'
// a terminal sends these to all processes of a command: the one that started this one decides
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => process.exit())
process.on('message', (request: TrialRequest) => {
  answer(request).then(
    (reply) => process.send?.(reply),
    () => process.exit(1),
  )
})

async function answer(request: TrialRequest): Promise<TrialReply> {
  if (request.kind === 'run') return { kind: 'ran', ms: run!() }
  const { setup } = request
  prepareEnvironment(setup.execution)
  const { openTrial } = await import('./trial-session.js')
  run = openTrial(setup)
  return { kind: 'loaded', gpu: run === null }
}
