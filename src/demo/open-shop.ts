import { filter, firstValueFrom } from 'rxjs'
import type { Config } from '../config/config.js'
import type { ConfigFor } from '../config/requirements.js'
import { textOptions } from '../config/text-options.js'
import { Daemon } from '../daemon/daemon.js'
import { BcodError } from '../errors.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { TextProcess } from '../text/text-process.js'
import type { DemoLog } from './logs.js'
import { Shop } from './shop.js'

export interface ShopOptions {
  readonly config: ConfigFor<'run'>
  readonly telemetry: Telemetry
  readonly text: TextProcess
  readonly log: DemoLog
  /** Told of the daemon before it runs. */
  readonly watch?: ((daemon: Daemon) => void) | undefined
}

/** Tokenizer and chat template of the users' side. @throws TEXT_WITHOUT_TOKENIZER */
export async function openShopText(
  config: Config & { readonly model: { readonly path: string } },
): Promise<TextProcess> {
  const { path } = config.model
  const text = await TextProcess.start(path, {
    timeout: config.limits.tokeniseTimeout,
    text: textOptions(config),
    tries: 5,
  })
  if (!text) throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'the demo talks in text', { place: path })
  return text
}

/**
 * Opens the shop on a daemon of its own, and closes it after the work: the daemon writes its last checkpoint then.
 * Resolves with what the work has come to, and with the version that the daemon has made live last.
 *
 * @throws what ends the daemon, INTERNAL if it ends early
 */
export async function withShop<T>(
  { config, telemetry, text, log, watch }: ShopOptions,
  work: (shop: Shop, daemon: Daemon) => Promise<T>,
): Promise<{ readonly result: T; readonly adapter: string | null }> {
  const decoder = { rows: config.demo.roundSize, length: config.limits.maxLength }
  const daemon = new Daemon({ config, log: log.open(), telemetry, decoder })
  watch?.(daemon)
  const running = daemon.run()
  running.catch(() => undefined)
  const shop = new Shop({ daemon, text, publish: (events) => log.publish(events), config })
  try {
    const begun = firstValueFrom(daemon.lifecycle$.pipe(filter((state) => state === 'running')), { defaultValue: null })
    if ((await begun) === null) await running
    const ended = running.then(() => Promise.reject(new BcodError('INTERNAL', 'the daemon ended early')))
    const result = await Promise.race([work(shop, daemon), ended]).finally(() => shop.close())
    daemon.stop()
    await running
    return { result, adapter: daemon.status().adapter }
  } finally {
    daemon.stop()
    await running.catch(() => undefined)
  }
}
