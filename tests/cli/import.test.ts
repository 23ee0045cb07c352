import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { hashedUser } from '../../src/events/hashed-user.js'
import { readJsonl } from '../../src/events/jsonl.js'
import { bcod, documentOf, jsonl, linesOf, scratchDirectory } from '../support/bcod.js'

const EXPORT = 'tests/import/fixtures/open-webui.json'
const SALT = 'a salt for this test alone'
const FROM = ['import', '--from', 'open-webui', '--file', EXPORT]
const SALTED = ['--set', `gateway.userSalt=${SALT}`]

async function subjects(path: string) {
  const found: unknown[] = []
  for await (const { subject, user, label } of readJsonl(path)) found.push([subject, user, label])
  return found
}

test('writes events that bcod reads, with hashed users, and the same bytes each time', async () => {
  const out = join(scratchDirectory(), 'events.jsonl')
  const first = await bcod(...FROM, ...SALTED, '--out', out, '--json')
  expect(first.code, first.stderr).toBe(0)
  expect(documentOf(first)).toMatchObject({
    format: 'open-webui',
    events: 3,
    up: 1,
    down: 2,
    users: 2,
    skipped: 7,
    out,
  })
  expect(await subjects(out)).toEqual([
    ['m2', hashedUser('u1', SALT), true],
    ['m5', hashedUser('u2', SALT), false],
    ['o2', hashedUser('u1', SALT), false],
  ])
  const bytes = readFileSync(out)
  expect(statSync(out).mode & 0o777).toBe(0o600)
  expect((await bcod(...FROM, ...SALTED, '--out', out)).code).toBe(0)
  expect(readFileSync(out)).toEqual(bytes)
})

test('of exports that overlap every vote counts once', async () => {
  const directory = scratchDirectory()
  const rows = JSON.parse(readFileSync(EXPORT, 'utf8')) as { id: string }[]
  const outs = [(id: string) => id !== 'f8', (id: string) => id !== 'f1'].map((isIn, i) => {
    const [file, out] = [join(directory, `export-${i}.json`), join(directory, `events-${i}.jsonl`)]
    writeFileSync(file, JSON.stringify(rows.filter(({ id }) => isIn(id))))
    return { file, out }
  })
  for (const { file, out } of outs)
    expect((await bcod('import', '--from', 'open-webui', '--file', file, ...SALTED, '--out', out)).code).toBe(0)
  const both = join(directory, 'both.jsonl')
  writeFileSync(both, outs.map(({ out }) => readFileSync(out, 'utf8')).join(''))
  expect(await subjects(both)).toHaveLength(4)
  const replayed = await bcod(
    ...['replay', '--events', both, '--model', 'src/demo/model', '--out', join(directory, 'run'), '--json'],
    ...['--set', 'limits.maxLength=96', '--set', 'batch.tokens=96'],
  )
  expect(replayed.code, replayed.stderr).toBe(0)
  expect(documentOf(replayed)).toMatchObject({ events: 4, trained: 3, dropped_by_reason: { duplicate: 1 } })
})

test('with a state never replaces a file that has the votes before', async () => {
  const directory = scratchDirectory()
  const [out, state] = [join(directory, 'events.jsonl'), join(directory, 'state.json')]
  expect((await bcod(...FROM, ...SALTED, '--out', out, '--state', state)).code).toBe(0)
  const again = await bcod(...FROM, ...SALTED, '--out', out, '--state', state)
  expect(again.stderr).toMatch(/^USAGE --out: expected a new file/)
  expect([again.code, await subjects(out)]).toMatchObject([2, { length: 3 }])
  const next = documentOf(await bcod(...FROM, ...SALTED, '--out', `${out}.next`, '--state', state, '--json'))
  expect(next).toMatchObject({ events: 0, skipped_by_reason: { unchanged: 3 } })
})

test('prints what was skipped and why, with its place and without its text', async () => {
  const out = join(scratchDirectory(), 'events.jsonl')
  const { stdout } = await bcod(...FROM, ...SALTED, '--out', out)
  expect(stdout).toMatch(/^events +3: 1 up, 2 down, 0 taken back$/m)
  expect(stdout).toContain('1 context_missing: the model was shown documents that are not in the export')
  expect(stdout).toContain(`  ${EXPORT}:6`)
  expect(stdout).not.toMatch(/manual|lift|Nine/)
})

test('wants a salt before it writes a user, or leaves users out', async () => {
  const out = join(scratchDirectory(), 'events.jsonl')
  const refused = await bcod(...FROM, '--out', out)
  expect(refused.stderr).toMatch(/^CONFIG_MISSING gateway\.userSalt: /)
  expect([refused.code, existsSync(out)]).toEqual([2, false])
  expect((await bcod(...FROM, '--users', 'none', '--out', out)).code).toBe(0)
  expect((await subjects(out)).map((each) => (each as unknown[])[1])).toEqual([null, null, null])
})

test('leaves the file as it was if the import fails, and never replaces what it reads', async () => {
  const directory = scratchDirectory()
  const out = join(directory, 'events.jsonl')
  writeFileSync(out, 'before')
  const broken = join(directory, 'broken.json')
  writeFileSync(broken, '[{"prompt":"a","completion":"b","label":true},{"prompt":')
  const failed = await bcod('import', '--from', 'trl-unpaired', '--file', broken, '--out', out)
  expect(failed.stderr).toMatch(/^FEEDBACK_NOT_JSON .*broken\.json:2: the array ends too early/)
  expect([failed.code, readFileSync(out, 'utf8')]).toEqual([1, 'before'])
  expect((await bcod(...FROM, ...SALTED, '--out', EXPORT)).stderr).toMatch(/^OUTPUT_IS_INPUT /)
  const nowhere = await bcod(...FROM, ...SALTED, '--out', join(directory, 'none', 'events.jsonl'))
  expect(nowhere.stderr).toMatch(/^OUTPUT_UNWRITABLE .*\(ENOENT\)/)
})

test('lists every broken record beside the file, with its place and what is wrong', async () => {
  const directory = scratchDirectory()
  const [votes, out] = [join(directory, 'votes.jsonl'), join(directory, 'events.jsonl')]
  const good = '{"prompt":"a","completion":"b","label":true}'
  const broken = [...['\u0000', '{"prompt":"secret', '[1]'], ...Array.from({ length: 200 }, () => '{"prompt":')]
  writeFileSync(votes, `\ufeff${[good, ...broken, good].join('\r\n')}`)
  const args = ['import', '--from', 'trl-unpaired', '--file', votes, '--out', out]
  const { stdout, code } = await bcod(...args)
  expect([code, stdout]).toEqual([0, expect.stringContaining(`${out}.invalid.jsonl lists all 203 that are broken`)])
  const listed = linesOf(readFileSync(`${out}.invalid.jsonl`, 'utf8'))
  expect(listed).toHaveLength(203)
  expect(listed.slice(0, 4)).toEqual([
    { code: 'unreadable', place: `${votes}:2`, reason: expect.stringMatching(/^not JSON/) },
    { code: 'unreadable', place: `${votes}:3`, reason: expect.stringMatching(/^not JSON/) },
    { code: 'unreadable', place: `${votes}:4`, reason: 'not an object' },
    { code: 'unreadable', place: `${votes}:5`, reason: expect.stringMatching(/^not JSON/) },
  ])
  expect(JSON.stringify(listed)).not.toContain('secret')
  writeFileSync(votes, good)
  await bcod(...args)
  expect(existsSync(`${out}.invalid.jsonl`)).toBe(false)
})

test('counts broken lines and goes on', async () => {
  const directory = scratchDirectory()
  const rows = jsonl(directory, 'rows.jsonl', [{ prompt: 'a', completion: 'b', label: true }])
  writeFileSync(rows, `${readFileSync(rows, 'utf8')}\n{"prompt":\n`)
  const ended = await bcod('import', '--from', 'trl-unpaired', '--file', rows, '--out', join(directory, 'o'), '--json')
  const places = [{ place: `${rows}:3`, reason: 'unreadable' }]
  expect(documentOf(ended)).toMatchObject({ events: 1, skipped_by_reason: { unreadable: 1 }, skipped_records: places })
})
