import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

/** `import { a, b as c } from '…/dist/x.js'`, and `const { a, b: c } = await import('…/dist/x.js')`. */
const IMPORT = /\{([^{}]*)\}\s*(?:from\s*|=\s*await import\()'([^']*\/dist\/[^']+)\.js'/g

const exportsOf = (path: string) => {
  const source = readFileSync(path, 'utf8')
  const declared = [...source.matchAll(/^export (?:async )?(?:const|class|function\*?) (\w+)/gm)].map(
    ([, name]) => name,
  )
  const listed = [...source.matchAll(/^export (?:const )?\{([^}]*)\}/gm)].flatMap(([, names]) => namesIn(names ?? ''))
  return [...declared, ...listed.map((name) => name.split(/ as |: /).at(-1))]
}
const namesIn = (list: string) =>
  list
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))

// They are JavaScript that nothing checks, and some run rarely.
it('the scripts of bench, scripts and tests import from src only what it exports', () => {
  const files = ['bench', 'scripts', 'tests'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  )
  const imports = files
    .filter((file) => file.endsWith('.mjs'))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(IMPORT)].flatMap(([, names, target]) => {
        const path = `${join(dirname(file), target ?? '').replace(/^dist\//, 'src/')}.ts`
        return namesIn(names ?? '').map((name) => ({ file, path, name: name.split(/ as |: /)[0] }))
      }),
    )
  expect(imports.length).toBeGreaterThan(50)
  expect(imports.filter(({ path, name }) => !exportsOf(path).includes(name))).toEqual([])
})
