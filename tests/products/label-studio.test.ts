import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { scratchDirectory } from '../support/bcod.js'
import { HOURS, imported, LIFT, started } from './product.js'

const wanted = process.env.BCOD_TEST_PRODUCTS === '1'
const TOKEN = 'for-this-test-alone-0123456789abcdef'

const QUESTION = `<View>
  <Paragraphs name="chat" value="$messages" layout="dialogue" nameKey="role" textKey="content"/>
  <Text name="answer" value="$response"/>
  <Choices name="quality" toName="answer" choice="single"><Choice value="Good"/><Choice value="Bad"/></Choices>
</View>`

/** A Label Studio with an account, asked with the account's key. */
async function labelStudio() {
  const account = ['--username', 'ann@example.com', '--password', 'for-this-test-1A!', '--user-token', TOKEN]
  const { url } = await started(
    'label-studio',
    (port) => ['label-studio', 'start', '--no-browser', '--port', String(port), ...account],
    () => ({
      ...{ LABEL_STUDIO_BASE_DATA_DIR: scratchDirectory(), LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN: 'true' },
      ...{ LATEST_VERSION_CHECK: 'false', COLLECT_ANALYTICS: 'false', SENTRY_DSN: '', FRONTEND_SENTRY_DSN: '' },
    }),
  )
  return async (method: string, path: string, body?: unknown) => {
    const headers = { 'content-type': 'application/json', authorization: `Token ${TOKEN}` }
    const answer = await fetch(`${url}/api${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text
  }
}

const chosen = (choice: string) => ({
  result: [{ from_name: 'quality', to_name: 'answer', type: 'choices', value: { choices: [choice] } }],
})

const task = ([, , prompt, response]: readonly unknown[]) => ({
  messages: (prompt as string[]).map((turn) => ({ role: 'user', content: turn.replace('user: ', '') })),
  response,
})

describe.runIf(wanted)('a real product', () => {
  test('Label Studio, exported: votes, a change, and a removal', { timeout: 400_000 }, async () => {
    const call = await labelStudio()
    const { id: project } = JSON.parse(await call('POST', '/projects', { title: 'Chat', label_config: QUESTION }))
    for (const data of [LIFT, HOURS, HOURS].map(task)) await call('POST', '/tasks', { project, data })
    const { tasks } = JSON.parse(await call('GET', `/tasks?project=${project}`))
    const [lift, hours, skipped] = tasks.map(({ id }: { id: number }) => id).sort((a: number, b: number) => a - b)
    const vote = async (of: number, body: object) =>
      JSON.parse(await call('POST', `/tasks/${of}/annotations/`, body)).id as number
    const up = await vote(lift, chosen('Good'))
    const down = await vote(hours, chosen('Bad'))
    await vote(skipped, { ...chosen('Bad'), was_cancelled: true })

    const [file, state] = [join(scratchDirectory(), 'export.json'), join(scratchDirectory(), 'state.json')]
    const exported = async () => {
      const kind = 'exportType=JSON&download_all_tasks=true'
      writeFileSync(file, await call('GET', `/projects/${project}/export?${kind}`))
      return imported('label-studio', '--file', file, '--state', state, '--complete')
    }
    const first = await exported()
    const [liked, disliked] = [LIFT, HOURS].map((known) => [...known.slice(0, 4), null])
    expect(first.votes).toEqual([liked, disliked])
    expect(first.report).toMatchObject({ events: 2, users: 1, skipped_by_reason: { not_submitted: 1 } })
    expect((await exported()).report).toMatchObject({ events: 0, skipped_by_reason: { unchanged: 2 } })
    await sleep(10)
    await call('PATCH', `/annotations/${up}/`, chosen('Bad'))
    expect((await exported()).votes).toEqual([[false, ...(liked as unknown[]).slice(1)]])
    await call('DELETE', `/annotations/${down}/`)
    expect((await exported()).report).toMatchObject({ events: 1, retracted: 1 })
  })
})
