import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { requireFor } from '../config/requirements.js'
import type { Daemon } from '../daemon/daemon.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { type BurstNews, type BurstSummary, runBurst } from './burst.js'
import { ClosedLoop, type DemoRow, type LoopSummary } from './closed-loop.js'
import type { DemoLog } from './logs.js'
import { openShopText, withShop } from './open-shop.js'

export interface DemoOptions {
  readonly events: number
  readonly config: Config
  readonly telemetry: Telemetry
  /** Opens the log; `directory` is there for what it keeps and removed afterwards. */
  readonly openLog: (directory: string, config: Config) => Promise<DemoLog>
  /** Where the adapter and the checkpoints are kept; null: a temporary directory that is removed. */
  readonly keep: string | null
  readonly progress?: (row: DemoRow) => void
  /** Told of each daemon before it runs. */
  readonly watch?: (daemon: Daemon) => void
  /** Told what the votes have taught, as soon as that is known. */
  readonly taught?: (summary: TaughtSummary) => void
  /** Told of the burst of flattering votes that follows; without it, none follows. */
  readonly burst?: (news: BurstNews) => void
}

export interface TaughtSummary extends LoopSummary {
  /** The version that the votes have made live. */
  readonly adapter: string
  readonly seconds: number
}

export interface DemoSummary extends TaughtSummary, BurstSummary {}

/**
 * The main job, closed-loop: simulated users ask, the current adapter answers, each user votes, the daemon learns from
 * the votes through the same pipeline as in production, and the share of good answers rises. Then the way out: see
 * `runBurst`.
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const started = performance.now()
  const seconds = () => Math.round((performance.now() - started) / 100) / 10
  const { events, telemetry, watch } = options
  const scratch = mkdtempSync(join(tmpdir(), 'bcod-demo-'))
  const config = placedIn(options.keep ?? scratch, options.config)
  try {
    const text = await openShopText(config)
    const log = await options.openLog(scratch, config).catch((error: unknown) => {
      text.close()
      throw error
    })
    try {
      const parts = { config, telemetry, text, log, watch }
      const { result, adapter } = await withShop(parts, (shop, { step$ }) =>
        new ClosedLoop({ events, config, progress: options.progress }, shop, step$).run(),
      )
      const taught = { ...result, adapter: adapter ?? 'none', seconds: seconds() }
      options.taught?.(taught)
      const ending = options.burst ? await runBurst(parts, events, options.burst) : { refused: null, promoted: null }
      return { ...taught, ...ending, seconds: seconds() }
    } finally {
      await log.close()
      text.close()
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function placedIn(root: string, config: Config) {
  const directories = {
    checkpoint: { ...config.checkpoint, dir: join(root, 'checkpoints') },
    adapters: { ...config.adapters, dir: join(root, 'adapters'), store: null },
  }
  return requireFor({ ...config, ...directories }, 'run')
}
