import type { AdminVerb } from '../server/admin.js'
import { adapterVerbs } from './adapters/adapter-verbs.js'
import type { Daemon } from './daemon.js'

/** What `POST /v1/admin/VERB` can do to a daemon; each answers with what holds afterwards. */
export const adminVerbs = (daemon: Daemon): Readonly<Record<string, AdminVerb>> => ({
  checkpoint: () => daemon.checkpoint(),
  pause: async () => {
    daemon.pauseTraining(true)
    return { training_paused: true }
  },
  resume: async () => {
    daemon.pauseTraining(false)
    return { training_paused: false }
  },
  ...adapterVerbs(daemon.adapters),
})
