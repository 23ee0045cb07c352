import { describe, expect, it } from 'vitest'
import { RECENT_COMPLETIONS, RecentCompletions } from '../../src/gate/recent-completions.js'

const pair = (token: number) => ({ promptTokens: [0], completionTokens: [token] })
const pairs = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => pair(from + i))
const tokens = async (recent: RecentCompletions) => (await recent.pairs()).map(({ completionTokens: [token] }) => token)

describe('recent completions', () => {
  it('are the newest that have trained, those of the journal before those of this process', async () => {
    let reads = 0
    const recent = new RecentCompletions(async () => {
      reads += 1
      return pairs(0, 100).reverse()
    })
    recent.trained(pairs(100, 104))
    const wanted = Array.from({ length: RECENT_COMPLETIONS }, (_, i) => 104 - RECENT_COMPLETIONS + i)
    expect(await tokens(recent)).toEqual(wanted)
    recent.trained(pairs(104, 105))
    expect((await tokens(recent)).at(-1)).toBe(104)
    expect(reads).toBe(1)
  })

  it('need no journal once enough have trained', async () => {
    const recent = new RecentCompletions(() => Promise.reject(new Error('nobody should ask')))
    recent.trained(pairs(0, RECENT_COMPLETIONS))
    expect(await tokens(recent)).toHaveLength(RECENT_COMPLETIONS)
  })
})
