// Makes docs/images/status-page.png: the operator's page of a daemon at work.
//
// The daemon is that of `bcod demo`, with its votes and its learning; a record in forty is spoilt on its way, so that
// there are dead letters. The page and its server are those of `bcod run`. Only the clock of the history is another one:
// it moves with the steps, so that the demo's minute fills the hour that the page shows.
//
// `node scripts/screenshot.mjs [--out DIR]`: with --out also dark, narrow and unreachable, to look at.
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig } from '../dist/config/config.js'
import { runDemo } from '../dist/demo/demo.js'
import { openEmbeddedLog } from '../dist/demo/logs.js'
import { demoDefaults } from '../dist/demo/settings.js'
import { StatusServer } from '../dist/server/server.js'
import { LagObserved } from '../dist/telemetry/events/consumer.js'
import { History } from '../dist/telemetry/history.js'
import { createLogger } from '../dist/telemetry/logger.js'
import { Metrics } from '../dist/telemetry/metrics.js'
import { Telemetry } from '../dist/telemetry/telemetry.js'
import { launchChromium } from './chromium.mjs'

const VOTES = 600
/** Of the history's clock; of a step it is more or less than this, as there are busy and quiet minutes. */
const SECONDS_PER_STEP = 24
const SPOILT_EVERY = 40
const SPOILT = [
  '{"prompt":"Where is my parcel?","completion":"On its way.","label":"yes"}',
  'thumbs up',
  '{"label":true}',
]

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const asked = process.argv.indexOf('--out')
const out = asked < 0 ? null : process.argv[asked + 1]

const began = Date.now()
let clock = began - (VOTES / 4) * SECONDS_PER_STEP * 1000
const history = new History(() => clock)
const telemetry = new Telemetry(createLogger('error'), new Metrics(), history)
const config = loadConfig({ defaults: demoDefaults(VOTES), set: [] })

/** The demo's log, where some records are spoilt. */
async function openLog(directory, settings) {
  const inner = await openEmbeddedLog(directory, settings)
  let votes = 0
  const publish = async (events) => {
    await inner.publish(events)
    for (let i = 0; i < events.length; i++, votes++) {
      if (votes % SPOILT_EVERY !== SPOILT_EVERY - 1) continue
      const value = Buffer.from(SPOILT[Math.floor(votes / SPOILT_EVERY) % SPOILT.length])
      inner.append([{ timestamp: Date.now(), key: null, value, headers: {} }])
    }
  }
  return { ...inner, publish }
}

let daemon
let take
const nearlyDone = new Promise((resolve) => {
  take = resolve
})
const running = runDemo({
  ...{ events: VOTES, config, telemetry, openLog, keep: null },
  watch: (made) => {
    daemon = made
    daemon.step$.subscribe(({ step }) => {
      clock += SECONDS_PER_STEP * 1000 * (1 + 0.4 * Math.sin(step / 9) + 0.3 * Math.sin(step / 2.3))
      // the daemon looks each second, which is a long time on this clock
      telemetry.emit(new LagObserved(0, daemon.status().lag[0]))
    })
  },
  progress: ({ events }) => events > 0.93 * VOTES && take(),
})
const server = new StatusServer(
  { host: '127.0.0.1', port: 0, adminToken: null },
  {
    metrics: () => telemetry.metrics.text(),
    live: () => daemon.live(),
    ready: () => daemon.ready(),
    status: () => daemon.status(),
    history: (since) => history.answer(since),
    tap$: telemetry.tap.line$,
  },
)
const url = `http://127.0.0.1:${await server.listen()}/`
const browser = await launchChromium()

/** Opens the page all at once, so that all pictures are of the same moment. */
async function open(colorScheme, width, height) {
  const page = await browser.newPage({ colorScheme, viewport: { width, height }, deviceScaleFactor: 1 })
  await page.goto(url)
  return page
}

try {
  await Promise.race([nearlyDone, running])
  const readme = await open('light', 1280, 800)
  await readme.waitForSelector('#charts canvas')
  await readme.waitForTimeout(1000)
  await readme.screenshot({ path: join(root, 'docs/images/status-page.png'), fullPage: true })
  if (out !== null) {
    mkdirSync(out, { recursive: true })
    const others = { dark: ['dark', 1280, 800], narrow: ['light', 375, 800], 'narrow-dark': ['dark', 375, 800] }
    const pages = { light: readme }
    for (const [name, [scheme, width, height]] of Object.entries(others))
      pages[name] = await open(scheme, width, height)
    await readme.waitForTimeout(2500)
    await server.close()
    for (const [name, page] of Object.entries(pages)) {
      await page.screenshot({ path: join(out, `${name}.png`), fullPage: true })
      await page.waitForSelector('#lost:not([hidden])')
      await page.screenshot({ path: join(out, `${name}-lost.png`), fullPage: true })
    }
  }
} finally {
  await browser.close()
  await server.close()
}
await running
