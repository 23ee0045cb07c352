import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'
import { type JournalLine, journalPath } from '../../src/checkpoint/journal.js'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { Daemon } from '../../src/daemon/daemon.js'
import type { DaemonOptions } from '../../src/daemon/options.js'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { EmbeddedLog } from '../../src/streams/embedded-log.js'
import type { DeadLetter, FeedbackLog } from '../../src/streams/source.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { startCountingLearner } from '../support/counting-learner.js'
import { liveVersion } from '../support/live-version.js'
import { ManualScheduler } from '../support/manual-scheduler.js'
import { votes } from './feedback.js'

export const NOW = Date.UTC(2026, 0, 1)

/** The embedded log, and what other members of the group and other programs would do to it. */
export class SharedLog extends EmbeddedLog {
  committed = 0
  otherMembers = 0
  asked = 0
  hooks: Parameters<FeedbackLog['read']>[0] | null = null
  /** What the dead-letter topic got; it takes nothing while it is null. */
  letters: DeadLetter[] | null = []

  override read(hooks: Parameters<FeedbackLog['read']>[0]) {
    this.hooks = hooks
    return super.read(hooks)
  }

  override async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    await super.commit(offsets)
    this.committed = offsets.get(0) ?? this.committed
  }

  override async members(): Promise<number> {
    this.asked += 1
    return this.otherMembers
  }

  override async writeDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    if (this.letters === null) throw new Error('the dead-letter topic is away')
    this.letters.push(...letters)
  }
}

/**
 * A place where daemons run one after the other, in this process and in a time that moves only when it is told to. Their
 * learner only counts, unless another one is given.
 */
export function place(settings: Readonly<Record<string, unknown>> = {}) {
  const directory = temporaryDirectory()
  const scheduler = new ManualScheduler(NOW)
  const all = {
    ...{ 'model.path': 'tests/golden/tiny_llama', 'lora.r': 4, 'limits.maxLength': 32, 'batch.tokens': 64 },
    ...{ 'limits.userShare': 0, 'limits.promptRepeats': 0, 'stream.holdBack': '0', 'stream.brokers': ['embedded:0'] },
    ...{ 'stream.topic': 'feedback', 'batch.size': 4, 'batch.maxLatency': '0', 'batch.stratify': false },
    ...{ 'checkpoint.dir': join(directory, 'checkpoints'), 'adapters.dir': join(directory, 'adapters') },
    ...{ 'checkpoint.everySteps': 1, 'checkpoint.every': '0', ...settings },
  }
  const set = Object.entries(all).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  const config = requireFor(loadConfig({ env: {}, set }), 'run')
  const openLog = () => new SharedLog(join(directory, 'log'), 'feedback', scheduler)

  /** A daemon that is under way, on a log that was opened for it. */
  function start(log = openLog(), options: Partial<DaemonOptions> = {}) {
    const telemetry = new Telemetry(createLogger('silent'), new Metrics())
    const daemon = new Daemon({
      config,
      log,
      telemetry,
      scheduler,
      startLearner: startCountingLearner,
      startText: noText,
      ...options,
    })
    const running = daemon.run()
    running.catch(() => undefined)
    const stop = async () => {
      daemon.stop()
      await running
    }
    onTestFinished(() => stop().catch(() => undefined))
    const until = async (condition: (status: DaemonStatus) => boolean): Promise<DaemonStatus> => {
      for (const end = Date.now() + 60_000; !condition(daemon.status()); await sleep(1))
        if (Date.now() > end) throw new Error(`still ${JSON.stringify(daemon.status())}, waiting for ${condition}`)
      return daemon.status()
    }
    return { daemon, log, running, stop, until, telemetry }
  }

  return {
    ...{ config, directory, scheduler, openLog, start },
    journal(): readonly JournalLine[] {
      const path = journalPath(config.checkpoint.dir)
      const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
      return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as JournalLine)
    },
    live: () => liveVersion(config.adapters.dir),
  }
}

const noText = async () => null

/** Votes as the log keeps them. */
export const records = (from: number, count: number, timestamp = NOW) =>
  votes(from, count).map(({ key, value }) => ({
    ...{ timestamp, key: Buffer.from(key), value: Buffer.from(value), headers: {} },
  }))

export const junk = (bytes: number) => ({ timestamp: NOW, key: null, value: Buffer.alloc(bytes, 'x'), headers: {} })
