import { readdirSync } from 'node:fs'
import { NEVER } from 'rxjs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StatusServer } from '../../src/server/server.js'

const server = new StatusServer(
  { host: '127.0.0.1', port: 0, adminToken: null },
  { metrics: async () => '', live: () => [], ready: () => [], status: () => ({}), history: () => ({}), tap$: NEVER },
)
let base: string
beforeAll(async () => {
  base = `http://127.0.0.1:${await server.listen()}`
})
afterAll(() => server.close())

const get = (path: string, init?: RequestInit) => fetch(base + path, init)
const text = async (path: string) => (await get(path)).text()

/** Every file that the page loads: what its HTML names, and what its modules import. */
async function assets(): Promise<readonly string[]> {
  const html = await text('/')
  const found = [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map((match) => `/${match[1]}`)
  for (const path of found) {
    if (!path.endsWith('.js') || path.includes('uplot')) continue
    const imports = [...(await text(path)).matchAll(/from '\.\/([^']+)'/g)].map((match) => `/assets/${match[1]}`)
    found.push(...imports.filter((name) => !found.includes(name)))
  }
  return found
}

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'"

describe('the page', () => {
  it('may load and run nothing but its own files', async () => {
    const { headers } = await get('/')
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toBe(POLICY)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
  })

  it('has no script, style or handler in its HTML, and names no other server', async () => {
    const html = await text('/')
    expect(html).not.toMatch(/<style|style=|\son[a-z]+=|javascript:|\/\//i)
    for (const [tag, content] of html.matchAll(/<script[^>]*>([^<]*)/g)) {
      expect(tag).toContain('src="assets/')
      expect(content).toBe('')
    }
  })

  it('names everything relative to itself, so that a proxy may serve it under a path', async () => {
    const html = await text('/')
    for (const [, target] of html.matchAll(/(?:src|href)="([^"]+)"/g)) expect(target).toMatch(/^[a-z]/)
    for (const path of await assets()) {
      if (path.includes('uplot')) continue
      expect(await text(path)).not.toMatch(/(?:fetch|ask)\([`']\/|from '\/|url\(/)
    }
  })

  it('writes text as text only', async () => {
    for (const path of await assets()) {
      if (!path.includes('uplot')) expect(await text(path)).not.toMatch(/innerHTML|insertAdjacent|eval\(|Function\(/)
    }
  })
})

describe('its files', () => {
  it('are all served, with their types', async () => {
    const types = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' }
    const paths = await assets()
    expect(paths).toEqual(expect.arrayContaining(['/assets/uplot.js', '/assets/uplot.css', '/assets/page.js']))
    for (const path of paths) {
      const { status, headers } = await get(path)
      expect(status, path).toBe(200)
      expect(headers.get('content-type'), path).toBe(types[path.split('.').at(-1) as keyof typeof types])
      expect(headers.get('content-security-policy'), path).toBe(POLICY)
    }
    const files = readdirSync('src/server/page').filter((name) => name !== 'index.html')
    expect(paths.filter((path) => !path.includes('uplot')).sort()).toEqual(
      files.map((name) => `/assets/${name}`).sort(),
    )
  })

  it('are asked for again each time, and sent only where they have changed', async () => {
    for (const path of ['/', '/assets/uplot.js', '/assets/page.css']) {
      const first = await get(path)
      expect(first.headers.get('cache-control'), path).toBe('no-cache')
      const etag = first.headers.get('etag')!
      expect(etag).toMatch(/^"[\w-]{27}"$/)
      const again = await get(path, { headers: { 'if-none-match': etag } })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
      const other = await get(path, { headers: { 'if-none-match': '"other"' } })
      expect(other.status).toBe(200)
      expect(await other.text()).toBe(await first.text())
    }
  })

  it.each([
    '/assets/',
    '/assets',
    '/assets/nothing.js',
    '/assets/index.html',
    '/assets/../page.ts',
    '/assets/..%2fserver.js',
    '/assets/%2e%2e/server.js',
    '/assets//page.js',
    '/assets/page.js/',
    '/assets/uPlot.d.ts',
    '/assets/page.js%00',
    '/page/page.js',
    '/__proto__',
    '/favicon.ico',
  ])('no other: %s is 404', async (path) => {
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(response.headers.get('content-type')).toContain('application/json')
  })

  it('are read-only', async () => {
    expect((await get('/assets/page.js', { method: 'PUT', body: 'x' })).status).toBe(405)
  })
})
