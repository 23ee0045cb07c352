import { once } from 'node:events'
import { createServer, request as forward, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { NEVER } from 'rxjs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from '../../scripts/chromium.mjs'
import { BcodError } from '../../src/errors.js'
import { Accepted } from '../../src/server/admin.js'
import { StatusServer } from '../../src/server/server.js'
import { anHour, statusOf } from './an-hour.js'

const missing = chromiumPath() === null
if (missing) console.warn('skipped: no Chromium on this machine; install it, or name it in the variable CHROMIUM')

const CHARTS = ['State', 'Loss', 'Margin', 'Delta δ', 'Weight w', 'Lag', 'Votes trained']
const TOKEN = 'open-sesame-to-me'
const WIDTHS = [375, 1280] as const

describe.skipIf(missing)('the page in a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launchChromium()
  })
  afterAll(() => browser.close())

  const opened: { close(): unknown }[] = []
  afterEach(async () => {
    for (const each of opened.splice(0).reverse()) await each.close()
  })

  async function serve(source = anHour(), status: object = statusOf(source), adminToken: string | null = null) {
    const server = new StatusServer(
      { host: '127.0.0.1', port: 0, adminToken },
      {
        ...{ metrics: async () => '', live: () => [], ready: () => [], tap$: NEVER },
        ...{ status: () => status, history: (since: number) => source.history.answer(since) },
      },
    )
    opened.push(server)
    return { server, url: `http://127.0.0.1:${await server.listen()}/` }
  }

  /** Opens the page and waits for its first figures. What a console shows and what the policy forbids is kept. */
  async function open(url: string, width = 1280, colorScheme: 'light' | 'dark' = 'light') {
    const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
    opened.push(page)
    const problems: string[] = []
    page.on('console', (message) => void (message.type() === 'error' && problems.push(message.text())))
    page.on('pageerror', (error) => void problems.push(String(error)))
    await page.exposeFunction('forbidden', (what: string) => void problems.push(what))
    await page.addInitScript(
      `document.addEventListener('securitypolicyviolation', (e) => forbidden(e.violatedDirective + ' ' + e.blockedURI))`,
    )
    await page.goto(url)
    await page
      .locator('#charts canvas')
      .nth(CHARTS.length - 1)
      .waitFor()
    return { page, problems }
  }

  /** For each chart the share of its canvas that is drawn on, in per mille. */
  const drawn = (page: Page) =>
    page.$$eval('#charts canvas', (canvases) =>
      (canvases as unknown as { width: number; height: number; getContext(kind: '2d'): Context }[]).map((canvas) => {
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
        let painted = 0
        for (let i = 3; i < data.length; i += 4) if (data[i]! > 0) painted += 1
        return (1000 * painted) / (canvas.width * canvas.height)
      }),
    )

  it.each(WIDTHS)(
    'draws every chart at a width of %i, without an error and without scrolling sideways',
    async (width) => {
      const { url } = await serve()
      const { page, problems } = await open(url, width)
      expect(await page.locator('#charts h3').allTextContents()).toEqual(CHARTS)
      for (const share of await drawn(page)) expect(share).toBeGreaterThan(10)
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      expect(problems).toEqual([])
    },
  )

  it('tells in words what it draws, and a dash for what is not known', async () => {
    const { url } = await serve()
    const { page } = await open(url)
    const loss = page.getByRole('img', { name: /^Loss from \d\d:\d\d to \d\d:\d\d\. loss: now 0\.\d{3}, lowest/ })
    expect(await loss.count()).toBe(1)
    expect(await page.getByRole('img').count()).toBe(CHARTS.length)
    expect(await page.locator('#ready').textContent()).toBe('ready')
    expect(await page.locator('#state').textContent()).toBe('running')
    expect(await page.locator('#letters tbody tr').allTextContents()).toEqual([
      expect.stringMatching(/^FEEDBACK_NOT_JSONdecode: A feedback record is not JSON.*\d+.* ago$/),
      expect.stringMatching(/^FEEDBACK_INVALIDvalidate: .*\d+.* ago$/),
    ])
    const row = page.locator('#status div', { hasText: 'reward_down_mean' })
    expect(await row.locator('dd').textContent()).toBe('–')
  })

  it('says beside the state that a person has paused training', async () => {
    const source = anHour()
    const { url } = await serve(source, { ...statusOf(source), training_paused: true })
    const { page, problems } = await open(url)
    expect(await page.locator('#state').textContent()).toBe('running, training paused')
    expect(await page.locator('#state').getAttribute('class')).toBe('pill warn')
    expect(problems).toEqual([])
  })

  const REGISTRY = {
    ...{ generation: 12, candidate: 'v00000895', canary: null, live: 'v00000890', previous: 'v00000880' },
    ...{ pinned: null, frozen: false, resumable: ['v00000890', 'v00000880'] },
  }

  it('shows what users say of the canary and of live, and promotes the canary', async () => {
    const source = anHour()
    const arm = (votes: number, users: number, up_ratio: number) => ({ votes, users, up_ratio })
    const arms = { control: arm(400, 90, 0.75), live: arm(3100, 800, 0.8), canary: arm(340, 85, 0.788) }
    const canary = {
      ...{ version: 'v00000895', against: 'v00000890', passed: true, difference: -0.012, low: -0.05, high: 0.026 },
      ...{ canary: arms.canary, live: arms.live },
    }
    const uplift = { value: 0.05, low: 0.01, high: 0.09, since: 1_700_000_000 }
    const adapters = { ...REGISTRY, canary: 'v00000895', candidate: null }
    const { url } = await serve(source, { ...statusOf(source), adapters, arms, canary, uplift } as never, TOKEN)
    const { page, problems } = await open(url)
    expect(await page.locator('#arms tbody tr').allTextContents()).toEqual([
      ...['control4009075.0 %', 'live3,10080080.0 %', 'canary3408578.8 %'],
    ])
    expect(await page.locator('#canary').textContent()).toContain('It has passed and waits to be promoted.')
    expect(await page.locator('#uplift').textContent()).toContain('+5.0 points (+1.0 to +9.0 points)')
    expect(await page.locator('#actions button').allTextContents()).toContain('Promote v00000895')
    expect(problems).toEqual([])
  })

  it('shows which version is live, and goes back with the admin token, from what is shown', async () => {
    const source = anHour()
    const status = { ...statusOf(source), adapters: { ...REGISTRY } }
    const { server, url } = await serve(source, status, TOKEN)
    const asked: unknown[] = []
    server.registerVerb('adapters/rollback', async (body) => {
      asked.push(body)
      status.adapters = { ...status.adapters, generation: 13, live: 'v00000880', previous: null as never, frozen: true }
      status.training_paused = true
      return {}
    })
    const { page, problems } = await open(url)
    const rows = () => page.locator('#aliases div').allTextContents()
    expect(await rows()).toEqual(['livev00000890', 'previousv00000880', 'canary–', 'candidatev00000895', 'pinned–'])
    const buttons = () => page.locator('#actions button').allTextContents()
    expect(await buttons()).toEqual(['Roll back to v00000880', 'Promote v00000895', 'Gate v00000895', 'Pin v00000890'])
    const questions: string[] = []
    page.on('dialog', (dialog) => {
      questions.push(dialog.message())
      void dialog.accept()
    })
    const back = page.getByRole('button', { name: 'Roll back' })
    await back.click()
    await expect.poll(() => page.locator('#moved').textContent()).toBe('Enter the admin token first.')
    await page.getByLabel('Admin token').fill(TOKEN)
    await back.click()
    await expect.poll(() => page.locator('#moved').textContent()).toBe('Roll back to v00000880: done.')
    await expect
      .poll(() => page.locator('.tile', { hasText: 'Adapter' }).textContent())
      .toBe('Adapterv00000880rolled back')
    expect(await page.locator('#frozen').isVisible()).toBe(true)
    expect(await buttons()).toEqual([
      ...['Resume from v00000880', 'Resume and keep', 'Promote v00000895', 'Gate v00000895', 'Pin v00000880'],
    ])
    expect(asked).toEqual([{ to: 'v00000880', generation: 12 }])
    expect(questions).toEqual(Array(2).fill('Make v00000880 live, and stop publishing and learning?'))
    expect(problems).toEqual([])
  })

  it('offers to go on only from a version whose checkpoint is whole, and says so before a rollback', async () => {
    const source = anHour()
    const status = { ...statusOf(source), adapters: { ...REGISTRY, resumable: ['v00000890'] } }
    const { url } = await serve(source, status, TOKEN)
    const { page, problems } = await open(url)
    const questions: string[] = []
    page.on('dialog', (dialog) => {
      questions.push(dialog.message())
      void dialog.dismiss()
    })
    await page.getByRole('button', { name: 'Roll back' }).click()
    const notFrom = 'Learning cannot go on from v00000880 itself: no checkpoint of it is whole.'
    expect(questions).toEqual([`Make v00000880 live, and stop publishing and learning? ${notFrom}`])
    status.adapters = { ...REGISTRY, live: 'v00000880', previous: null as never, frozen: true, resumable: [] }
    await expect.poll(() => page.locator('#frozen').textContent()).toContain(notFrom)
    const buttons = await page.locator('#actions button').allTextContents()
    expect(buttons).toContain('Resume and keep')
    expect(buttons).not.toContain('Resume from v00000880')
    expect(problems).toEqual([])
  })

  it('lets training go on after a guard has stopped it, with the admin token', async () => {
    const source = anHour()
    const status = { ...statusOf(source), adapters: REGISTRY, guard: 'kl' as string | null, training_paused: true }
    const { server, url } = await serve(source, status, TOKEN)
    const asked: unknown[] = []
    server.registerVerb('resume', async (body) => {
      asked.push(body)
      status.guard = null
      status.training_paused = false
      return { training_paused: false }
    })
    const { page, problems } = await open(url)
    expect(await page.locator('#guard').textContent()).toMatch(/^The guard kl has paused training\./)
    page.on('dialog', (dialog) => void dialog.accept())
    await page.getByLabel('Admin token').fill(TOKEN)
    const resume = page.getByRole('button', { name: 'Resume training' })
    await resume.click()
    await expect.poll(() => page.locator('#moved').textContent()).toBe('Resume training: done.')
    await expect.poll(() => resume.count()).toBe(0)
    expect(await page.locator('#guard').isVisible()).toBe(false)
    expect(await page.locator('#state').textContent()).toBe('running')
    expect(asked).toEqual([{}])
    expect(problems).toEqual([])
  })

  it('has the candidate gated, and says what came of it, or that it takes longer', async () => {
    const source = anHour()
    const { server, url } = await serve(source, { ...statusOf(source), adapters: REGISTRY }, TOKEN)
    const answers: unknown[] = [{ outcome: 'refused' }, new Accepted({})]
    const asked: unknown[] = []
    server.registerVerb('adapters/gate', async (body) => {
      asked.push(body)
      return answers.shift()
    })
    const { page, problems } = await open(url)
    page.on('dialog', (dialog) => void dialog.accept())
    await page.getByLabel('Admin token').fill(TOKEN)
    const said = () => page.locator('#moved').textContent()
    await page.getByRole('button', { name: 'Gate' }).click()
    await expect.poll(said).toBe('Gate v00000895: refused.')
    await page.getByRole('button', { name: 'Gate' }).click()
    await expect.poll(said).toContain('the report will be in adapters show')
    expect(asked).toEqual(Array(2).fill({ version: 'v00000895' }))
    expect(problems).toEqual([])
  })

  it('says why a move was not made', async () => {
    const source = anHour()
    const { server, url } = await serve(source, { ...statusOf(source), adapters: REGISTRY }, TOKEN)
    server.registerVerb('adapters/promote', async () => {
      throw new BcodError('ADAPTER_MOVED', 'generation 12 was expected, it is 13')
    })
    const { page } = await open(url)
    page.on('dialog', (dialog) => void dialog.accept())
    await page.getByLabel('Admin token').fill(TOKEN)
    await page.getByRole('button', { name: 'Promote' }).click()
    await expect.poll(() => page.locator('#moved').textContent()).toMatch(/^ADAPTER_MOVED: generation 12 was expected/)
    await page.getByRole('button', { name: 'Pin' }).click()
    await expect.poll(() => page.locator('#moved').textContent()).toBe('This daemon has no admin token.')
  })

  it('shows a daemon that has done nothing yet', async () => {
    const status = { state: 'loading', ready: false, not_ready: [{ name: 'model', detail: 'not loaded' }], step: 0 }
    const { url } = await serve(anHour(0), { ...status, last_step_time: null, adapter: null, delta: null, lag: {} })
    const { page, problems } = await open(url)
    expect(await page.locator('#ready').textContent()).toBe('not ready: model (not loaded)')
    expect(await page.locator('.tile', { hasText: 'Adapter' }).textContent()).toBe('Adapter–none since the start')
    expect(await page.locator('.plot.empty').count()).toBe(5)
    expect(await page.locator('#letters-hour').textContent()).toBe('None since the start.')
    expect(problems).toEqual([])
  })

  it('says since when there is no answer, and forgets it when there is one again', async () => {
    const source = anHour()
    const { server, url } = await serve(source)
    const { page } = await open(url)
    await server.close()
    const lost = page.getByRole('alert')
    await lost.waitFor({ timeout: 10_000 })
    expect(await lost.textContent()).toMatch(/^No answer since \d\d:\d\d:\d\d\. Is the daemon running\?$/)
    const again = new StatusServer(
      { host: '127.0.0.1', port: Number(new URL(url).port), adminToken: null },
      {
        ...{ metrics: async () => '', live: () => [], ready: () => [], tap$: NEVER },
        ...{ status: () => statusOf(source), history: (since: number) => source.history.answer(since) },
      },
    )
    opened.push(again)
    await again.listen()
    await lost.waitFor({ state: 'hidden', timeout: 10_000 })
    expect(await page.title()).toBe('bcod: running')
  })

  it('follows the daemon, also through a restart', async () => {
    let source = anHour()
    const server = new StatusServer(
      { host: '127.0.0.1', port: 0, adminToken: null },
      {
        ...{ metrics: async () => '', live: () => [], ready: () => [], tap$: NEVER },
        ...{ status: () => statusOf(source), history: (since: number) => source.history.answer(since) },
      },
    )
    opened.push(server)
    const { page, problems } = await open(`http://127.0.0.1:${await server.listen()}/`)
    const lag = page.locator('figure', { has: page.locator('h3', { hasText: 'Lag' }) }).locator('dd')
    source.lag(4321)
    await expect.poll(() => lag.textContent(), { timeout: 10_000 }).toBe('4,321')
    source = anHour(60)
    source.lag(17)
    await expect.poll(() => lag.textContent(), { timeout: 10_000 }).toBe('17')
    expect(problems).toEqual([])
  })

  it('is worked by keyboard: the range is a group of radio buttons', async () => {
    const { url } = await serve()
    const { page } = await open(url)
    const range = () => page.locator('.plot[aria-label^="Lag"]').getAttribute('aria-label')
    const hour = await range()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.value')).toBe('3600')
    await page.keyboard.press('ArrowLeft')
    expect(await page.evaluate('document.activeElement.value')).toBe('900')
    expect(await range()).not.toBe(hour)
  })

  it('draws in other colours where the system turns dark', async () => {
    const { url } = await serve()
    const { page } = await open(url)
    const picture = () => page.$eval('#charts canvas', (canvas) => (canvas as unknown as Canvas).toDataURL())
    const light = await picture()
    await page.emulateMedia({ colorScheme: 'dark' })
    await expect.poll(picture).not.toBe(light)
  })

  it('works behind a proxy that serves it under a path of its own', async () => {
    const { url } = await serve()
    const proxy = await proxyUnder('/ops/bcod', url)
    opened.push({ close: () => proxy.closeAllConnections() }, proxy)
    const { page, problems } = await open(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/ops/bcod/`)
    for (const share of await drawn(page)) expect(share).toBeGreaterThan(10)
    expect(problems).toEqual([])
  })
})

/** What of the DOM is used here. */
interface Context {
  getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray }
}
interface Canvas {
  toDataURL(): string
}

/** Answers below `path` only, with what `target` answers without it. */
async function proxyUnder(path: string, target: string): Promise<Server> {
  const proxy = createServer((request, response) => {
    if (!request.url!.startsWith(`${path}/`)) return void response.writeHead(404).end()
    const inner = new URL(request.url!.slice(path.length), target)
    forward(inner, { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    }).end()
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return proxy
}
