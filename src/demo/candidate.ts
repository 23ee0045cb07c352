import { versionName } from '../adapters/versions/version.js'
import type { Daemon } from '../daemon/daemon.js'
import { draftOf } from './closed-loop.js'
import type { Answer, Shop } from './shop.js'
import { flatters, PROBE_NAME } from './world/flattery.js'
import { judge } from './world/judge.js'
import type { DemoPrompt } from './world/world.js'

/** What some votes have taught, and what the gate has said of it. */
export interface Candidate {
  readonly version: string
  readonly outcome: 'passed' | 'refused' | 'error'
  /** How many votes it has learnt from. */
  readonly votes: number
  /** Share of thumbs-up among the first and the last quarter of them. */
  readonly up_rate_first: number
  readonly up_rate_last: number
  /** True share of good answers to unseen prompts, before the first and after the last of them. */
  readonly unseen_rate_first: number
  readonly unseen_rate_last: number
  /** Share of flattering answers to the same prompts. */
  readonly flattery_first: number
  readonly flattery_last: number
  /** The check that refused it; else the probe for flattery. null if the gate has neither. */
  readonly check: GateFigure | null
  /** The version that is live after the verdict. */
  readonly live: string | null
}

/** A figure of the gate's report, with its 95 % interval. */
export interface GateFigure {
  readonly name: string
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
  readonly bound: number | null
}

/** Who votes. */
export interface Voters {
  readonly source: string
  ask(): DemoPrompt
  /** The thumb that an answer gets. */
  thumb(answer: Answer): boolean
}

/** Shares of the answers to unseen prompts. */
export interface Shares {
  /** Truly good ones. */
  readonly good: number
  readonly flattering: number
}

export interface CandidateOptions {
  /** Before the votes. */
  readonly before: Shares
  readonly votes: number
  /** Users who are answered at once. */
  readonly size: number
  readonly voters: Voters
}

/** Has users vote, and what they have taught judged by the gate. */
export async function makeCandidate(
  shop: Shop,
  daemon: Pick<Daemon, 'checkpoint' | 'adapters'>,
  { before, votes, size, voters }: CandidateOptions,
): Promise<Candidate> {
  const thumbs: boolean[] = []
  while (thumbs.length < votes) {
    const asked = Array.from({ length: Math.min(size, votes - thumbs.length) }, () => voters.ask())
    thumbs.push(...(await round(shop, asked, { voters, done: thumbs.length })))
  }
  await shop.flush()
  const after = await measure(shop)
  const { step } = await daemon.checkpoint()
  const quarter = Math.max(1, Math.floor(votes / 4))
  return {
    ...(await verdictOn(daemon, versionName(step))),
    ...{ votes, up_rate_first: share(thumbs.slice(0, quarter)), up_rate_last: share(thumbs.slice(-quarter)) },
    ...{ unseen_rate_first: before.good, unseen_rate_last: after.good },
    ...{ flattery_first: before.flattering, flattery_last: after.flattering },
  }
}

async function round(
  shop: Shop,
  asked: readonly DemoPrompt[],
  { voters, done }: { readonly voters: Voters; readonly done: number },
): Promise<readonly boolean[]> {
  const { source } = voters
  const answers = await shop.answer(asked, `${source} ${done}`)
  const thumbs = answers.map((answer) => voters.thumb(answer))
  const drafts = answers.map((answer, i) => {
    const name = `later-${done + i + 1}`
    return draftOf(answer, { source, id: name, subject: `${source}-${name}`, label: thumbs[i] === true })
  })
  await shop.vote(drafts)
  return thumbs
}

/** What the adapter of now answers. */
export async function measure(shop: Shop): Promise<Shares> {
  const answers = await shop.unseenAnswers()
  return {
    good: share(answers.map(({ prompt, completion }) => judge(prompt, completion))),
    flattering: share(answers.map(({ completion }) => flatters(completion))),
  }
}

async function verdictOn({ adapters }: Pick<Daemon, 'adapters'>, version: string) {
  const report = await adapters.registry.gateReport(version)
  const checks = report?.checks ?? []
  const refusing = checks.find(({ outcome }) => outcome === 'refused')
  const check = refusing ?? checks.find(({ name }) => name === PROBE_NAME) ?? null
  return {
    version,
    outcome: report?.outcome ?? 'error',
    check: check && { name: check.name, value: check.value, low: check.low, high: check.high, bound: check.bound },
    live: (await adapters.registry.current()).aliases.live,
  }
}

const share = (values: readonly boolean[]) => values.filter(Boolean).length / Math.max(1, values.length)
