import type { ConfigFor } from '../config/requirements.js'
import { type Candidate, makeCandidate, measure, type Voters } from './candidate.js'
import { SOURCE } from './closed-loop.js'
import { type ShopOptions, withShop } from './open-shop.js'
import { goOnFrom } from './way-back.js'
import { FlatteredUsers } from './world/flattery.js'
import { Users } from './world/users.js'

/** What has happened last. */
export type BurstNews =
  | { readonly kind: 'too few'; readonly needed: number }
  | { readonly kind: 'burst'; readonly votes: number }
  | { readonly kind: 'gated'; readonly candidate: Candidate; readonly isBurst: boolean }
  | { readonly kind: 'back'; readonly to: string; readonly votes: number }

export interface BurstSummary {
  /** The candidate of the flattering votes, if the gate refused it. */
  readonly refused: Candidate | null
  /** The candidate of the votes after that, if it went live. */
  readonly promoted: Candidate | null
}

/** With fewer votes before it, the burst would meet an adapter that has learnt little. */
const VOTES_BEFORE = 300
const BURST_VOTES = 144
const LATER_VOTES = 48

/**
 * Users come who want to be flattered, and the gate judges what they have taught. Somebody takes their votes back, and
 * the next version is made of the votes of everybody else.
 *
 * @param events  votes before it
 */
export async function runBurst(
  options: ShopOptions,
  events: number,
  tell: (news: BurstNews) => void,
): Promise<BurstSummary> {
  if (events < VOTES_BEFORE) {
    tell({ kind: 'too few', needed: VOTES_BEFORE })
    return { refused: null, promoted: null }
  }
  const config = later(options.config)
  const { roundSize: size, noise } = config.demo
  tell({ kind: 'burst', votes: BURST_VOTES })
  const { result: burst } = await withShop({ ...options, config }, async (shop, daemon) => {
    const { registry } = daemon.adapters
    const { live } = (await registry.current()).aliases
    const before = await measure(shop)
    const voters = flattered(config.seed)
    const candidate = await makeCandidate(shop, daemon, { before, votes: BURST_VOTES, size, voters })
    tell({ kind: 'gated', candidate, isBurst: true })
    // a gate that was told to look at nothing has let it through
    if (live !== null && candidate.live !== live) await registry.rollback({ to: live })
    return { live, before, candidate }
  })
  const { live, before, candidate } = burst
  const refused = candidate.outcome === 'refused' ? candidate : null
  if (live === null) return { refused, promoted: null }

  tell({ kind: 'back', to: live, votes: LATER_VOTES })
  const without = { ...config, limits: { ...config.limits, sources: [SOURCE] } }
  const { result: next } = await withShop({ ...options, config: without }, async (shop, daemon) => {
    await goOnFrom(live, daemon, shop)
    const voters = everybody(config.seed, noise)
    return makeCandidate(shop, daemon, { before, votes: LATER_VOTES, size, voters })
  })
  tell({ kind: 'gated', candidate: next, isBurst: false })
  return { refused, promoted: next.live === next.version ? next : null }
}

/** The learning rate falls no further, and a checkpoint is made when one is asked for. */
const later = (config: ConfigFor<'run'>): ConfigFor<'run'> => ({
  ...config,
  optimizer: { ...config.optimizer, schedule: 'constant' },
  checkpoint: { ...config.checkpoint, everySteps: BURST_VOTES + LATER_VOTES },
})

function flattered(seed: number): Voters {
  const users = new FlatteredUsers(seed)
  return {
    source: `${SOURCE}-burst`,
    ask: () => users.ask(),
    thumb: ({ completion }) => users.likes(completion),
  }
}

function everybody(seed: number, noise: number): Voters {
  const users = new Users(seed + 1, noise)
  return {
    source: SOURCE,
    ask: () => users.ask(),
    thumb: ({ prompt, completion }) => users.opinion(prompt, completion).thumbUp,
  }
}
