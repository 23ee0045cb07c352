import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import type { Browser } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { pages } from '../../grafana/src/index.js'
import { launchChromium } from '../../scripts/chromium.mjs'
import { PrometheusProcess, promtool } from '../support/prometheus.js'
import { RecordedVllm } from '../support/recorded-vllm.js'
import { viewerBundle } from './look/bundle.mjs'
import { demoHour } from './look/hour.js'

/** Where the pictures go; without it there are none. */
const OUT = process.env.BCOD_TEST_LOOK
const SIZES = { laptop: [1366, 768], wide: [2560, 1440] } as const
const THEMES = ['light', 'dark'] as const
const TYPES: Readonly<Record<string, string>> = {
  ...{ '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json' },
  '.svg': 'image/svg+xml',
}
const FRAME =
  '<!doctype html><link rel="stylesheet" href="/viewer.css"><link rel="stylesheet" href="/frame.css"><div id="root"></div><script type="module" src="/viewer.js"></script>'

/** A folder that goes with the test. */
function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-look-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The viewer and the pages of this checkout. */
async function serveViewer(): Promise<string> {
  const bundle = viewerBundle()
  const fileOf = (path: string): string | Buffer => {
    if (path === '/') return FRAME
    if (path === '/frame.css') return readFileSync('tests/grafana/look/frame.css')
    if (path.startsWith('/dashboards/')) return readFileSync(join('grafana', path.slice('/dashboards/'.length)))
    if (path.startsWith('/public/fonts/')) return readFileSync(join(bundle, 'inter.woff2'))
    return readFileSync(join(bundle, path))
  }
  const server = createServer(({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://viewer')
    try {
      const type = TYPES[extname(pathname) || '.html'] ?? 'application/octet-stream'
      const content = fileOf(pathname)
      response.writeHead(200, { 'content-type': type }).end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** What a reader would complain of on the page that is open. */
const COMPLAINTS = `[...document.querySelectorAll('[data-panel]')].flatMap((panel) => {
  const title = panel.querySelector('h2')
  // Grafana gives a legend below a graph 35 % of the panel
  const legend = [...panel.querySelectorAll('[style*="max-height: 35%"] *')]
  const name = panel.dataset.panel
  return [
    ...(title && title.scrollWidth > title.clientWidth ? [name + ': its title is cut'] : []),
    ...(panel.querySelector('.no-data') ? [name + ': ' + panel.querySelector('.no-data').textContent] : []),
    ...(legend.some((part) => part.scrollHeight > part.clientHeight + 4 && part.clientHeight > 0) ? [name + ': its legend is cut'] : []),
  ]
})`

async function look(browser: Browser, address: URL, size: readonly [number, number], file: string) {
  const page = await browser.newPage({ viewport: { width: size[0], height: size[1] } })
  const problems: string[] = []
  page.on('pageerror', (error) => void problems.push(String(error)))
  await page.goto(address.href)
  await page.waitForFunction(
    `document.querySelector('[data-panel]') && !document.querySelector('[data-done="false"]') && document.fonts.status === 'loaded'`,
  )
  await page.waitForTimeout(500)
  await page.screenshot({ path: file, fullPage: true })
  problems.push(...(await page.evaluate<string[]>(COMPLAINTS)))
  await page.close()
  return problems
}

test.skipIf(!OUT)(
  'every page shows the demo’s hour, on a laptop and wide, light and dark',
  async () => {
    const directory = scratch()
    mkdirSync(OUT!, { recursive: true })
    const hour = await demoHour([await RecordedVllm.start(), await RecordedVllm.start()], directory)
    const samples = join(directory, 'samples.txt')
    writeFileSync(samples, hour.text)
    const blocks = ['tsdb', 'create-blocks-from', 'openmetrics', samples, join(directory, 'data')]
    expect(promtool(blocks)).toMatchObject({ code: 0 })
    const prometheus = await PrometheusProcess.start(directory)
    onTestFinished(() => prometheus.stop())
    const viewer = await serveViewer()
    const browser = await launchChromium()
    onTestFinished(() => browser.close())

    const found: string[] = []
    for (const page of Object.keys(pages))
      for (const [name, size] of Object.entries(SIZES))
        for (const theme of THEMES) {
          const [from, to] = [hour.from * 1000, hour.to * 1000]
          const choices = { page, theme, from: String(from), to: String(to), prometheus: prometheus.address }
          const address = new URL(`?${new URLSearchParams(choices)}`, viewer)
          const file = join(OUT!, `${page}-${name}-${theme}.png`)
          for (const problem of await look(browser, address, size, file))
            found.push(`${page} ${name} ${theme}: ${problem}`)
        }
    expect(found).toEqual([])
  },
  900_000,
)
