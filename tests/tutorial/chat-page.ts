import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'
import { LIMIT } from './terminals.js'

/** A folder for pictures of the chat page. */
const PICTURES = process.env.BCOD_TEST_TUTORIAL_PICTURES

/** The chat page in a browser, as its user sees it. */
export class ChatPage {
  private constructor(private readonly page: Page) {}

  static async open(browser: Browser): Promise<ChatPage> {
    const page = await browser.newPage({ viewport: { width: 1000, height: 1000 } })
    await page.goto('http://localhost:8501')
    return new ChatPage(page)
  }

  get #answers() {
    return this.page.getByTestId('stChatMessage').filter({ hasText: 'answered by' })
  }

  /** @returns the text of the answer, with who has written it */
  async ask(question: string): Promise<string> {
    const before = await this.#answers.count()
    const input = this.page.getByPlaceholder('Ask the shop')
    await input.fill(question)
    await input.press('Enter')
    const answer = this.#answers.nth(before)
    await answer.waitFor({ timeout: LIMIT })
    return (await answer.getByRole('paragraph').allTextContents()).join(' – ')
  }

  /** Below the last answer. */
  async thumbDown(): Promise<void> {
    const thumb = this.#answers.last().getByRole('radio', { name: 'Thumbs down' })
    await thumb.click()
    await expect.poll(() => thumb.getAttribute('aria-checked'), { timeout: 60_000 }).toBe('true')
  }

  async picture(name: string): Promise<void> {
    if (PICTURES) await this.page.screenshot({ path: join(PICTURES, `${name}.png`) })
  }
}
