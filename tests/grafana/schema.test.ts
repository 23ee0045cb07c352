import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { pages } from '../../grafana/src/index.js'
import { dashboardSchema, problems } from './schema.js'

const valid = dashboardSchema()
const committed = (name: string) => JSON.parse(readFileSync(`grafana/${name}.json`, 'utf8'))

describe('the schema of Grafana’s own types', () => {
  it.each(Object.keys(pages))('accepts grafana/%s.json', (name) => {
    valid(committed(name))
    expect(problems(valid.errors)).toEqual([])
  })

  const defects: readonly (readonly [what: string, path: string, value: unknown])[] = [
    ['a key that no dashboard has', 'refersh', '5s'],
    ['a title that is a number', 'title', 5],
    ['a cursor that does not exist', 'graphTooltip', 9],
    ['a place without a height', 'panels.1.gridPos.h', undefined],
    ['a key that no panel has', 'panels.1.titel', 'x'],
    ['a unit that is a number', 'panels.1.fieldConfig.defaults.unit', 3],
    ['a key that no query has', 'panels.1.targets.0.exprr', 'x'],
    ['a query without its expression', 'panels.1.targets.0.expr', undefined],
  ]
  it.each(defects)('rejects %s', (_, path, value) => {
    const dashboard = committed('alignment')
    const names = path.split('.')
    const last = names.pop()!
    const place = names.reduce((inner, name) => inner[name], dashboard)
    if (value === undefined) delete place[last]
    else place[last] = value
    expect(valid(dashboard)).toBe(false)
  })
})
