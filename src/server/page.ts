import type { Answer } from './answer.js'

/** Nothing but this server's own script, style and data. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The operator's page: what /readyz and /status say, every second. */
export const page: ReadonlyMap<string, Answer> = new Map([
  ['/', asset('text/html; charset=utf-8', html())],
  ['/page.js', asset('text/javascript; charset=utf-8', script())],
  ['/page.css', asset('text/css; charset=utf-8', style())],
])

function asset(type: string, body: string): Answer {
  const headers = { 'content-security-policy': POLICY, 'referrer-policy': 'no-referrer' }
  return { status: 200, type, body, headers }
}

function html(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bcod</title>
<link rel="stylesheet" href="page.css">
</head>
<body>
<h1>bcod</h1>
<p id="ready" role="status">…</p>
<table><tbody id="status"></tbody></table>
<p><a href="metrics">metrics</a> · <a href="status">status</a> · <a href="livez">livez</a> · <a href="readyz">readyz</a></p>
<script src="page.js"></script>
</body>
</html>
`
}

function script(): string {
  return `'use strict'

function rowsOf(value, name) {
  const isGroup = value !== null && typeof value === 'object' && !Array.isArray(value)
  if (!isGroup) return [[name, Array.isArray(value) ? value.join(', ') : String(value ?? '–')]]
  return Object.entries(value).flatMap(([key, child]) => rowsOf(child, name ? name + '.' + key : key))
}

function rowElement([name, text]) {
  const row = document.createElement('tr')
  const head = document.createElement('th')
  const cell = document.createElement('td')
  head.scope = 'row'
  head.textContent = name
  cell.textContent = text
  row.append(head, cell)
  return row
}

async function refresh() {
  const ready = document.getElementById('ready')
  try {
    const [status, readiness] = await Promise.all([fetch('status'), fetch('readyz')])
    document.getElementById('status').replaceChildren(...rowsOf(await status.json(), '').map(rowElement))
    const { ok, failing } = await readiness.json()
    const reasons = ok ? [] : failing.map(({ name, detail }) => (detail ? name + ' (' + detail + ')' : name))
    ready.textContent = ok ? 'ready' : 'not ready: ' + reasons.join(', ')
    ready.className = ok ? 'good' : 'bad'
  } catch {
    ready.textContent = 'no answer from bcod'
    ready.className = 'bad'
  }
  setTimeout(refresh, 1000)
}

refresh()
`
}

function style(): string {
  return `:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
th { font-weight: 500; }
.good { color: light-dark(#176b2c, #6fd28b); }
.bad { color: light-dark(#a8201a, #ff8a80); }
`
}
