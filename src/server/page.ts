import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Answer } from './answer.js'

/** Nothing but this server's own script, style, image and data. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const STYLE = 'text/css; charset=utf-8'
const IMAGE = 'image/svg+xml'

const require = createRequire(import.meta.url)
const own = (name: string) => new URL(`./page/${name}`, import.meta.url)

/** Every path there is, with its type and its file. A request chooses among these and never names a file itself. */
const FILES: ReadonlyMap<string, readonly [type: string, file: () => string | URL]> = new Map([
  ['/', [HTML, () => own('index.html')]],
  ['/assets/page.css', [STYLE, () => own('page.css')]],
  ['/assets/page.js', [SCRIPT, () => own('page.js')]],
  ['/assets/charts.js', [SCRIPT, () => own('charts.js')]],
  ['/assets/chart-list.js', [SCRIPT, () => own('chart-list.js')]],
  ['/assets/state-band.js', [SCRIPT, () => own('state-band.js')]],
  ['/assets/points.js', [SCRIPT, () => own('points.js')]],
  ['/assets/panels.js', [SCRIPT, () => own('panels.js')]],
  ['/assets/arm-texts.js', [SCRIPT, () => own('arm-texts.js')]],
  ['/assets/arms.js', [SCRIPT, () => own('arms.js')]],
  ['/assets/versions.js', [SCRIPT, () => own('versions.js')]],
  ['/assets/format.js', [SCRIPT, () => own('format.js')]],
  ['/assets/icon.svg', [IMAGE, () => own('icon.svg')]],
  ['/assets/uplot.js', [SCRIPT, () => require.resolve('uplot/dist/uPlot.iife.min.js')]],
  ['/assets/uplot.css', [STYLE, () => require.resolve('uplot/dist/uPlot.min.css')]],
])

/** The operator's page and what it is made of. A file is read when it is asked for first, and kept. */
export class PageAssets {
  readonly #answers = new Map<string, Answer>()

  has(path: string): boolean {
    return FILES.has(path)
  }

  /** @param path  one that `has` knows */
  answer(path: string): Answer {
    const kept = this.#answers.get(path)
    if (kept !== undefined) return kept
    const [type, file] = FILES.get(path)!
    const answer = assetAnswer(type, readFileSync(file(), 'utf8'))
    this.#answers.set(path, answer)
    return answer
  }
}

/** A browser keeps it and asks each time whether it is still the same, so that a newer bcod is seen at once. */
function assetAnswer(type: string, body: string): Answer {
  const headers = {
    'cache-control': 'no-cache',
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`,
    'content-security-policy': POLICY,
    'referrer-policy': 'no-referrer',
  }
  return { status: 200, type, body, headers }
}
