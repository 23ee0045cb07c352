import { describe, expect, it } from 'vitest'
import { circles, fileGraph, folderArrows, folderOf, importArrows, packageImports } from '../scripts/house/imports.mjs'

/**
 * What each folder of src may import, from the ground floor up: a folder stands below all that import it. Whatever has no
 * row of its own here is imported by all.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  'serialized-error': [],
  files: [],
  http: [],
  s3: ['http'],
  engine: [],
  config: [],
  server: [],
  worker: ['config', 'engine', 'safetensors', 'telemetry'],
  safetensors: ['files'],
  events: ['files'],
  adapters: ['files', 's3', 'safetensors'],
  gate: ['adapters', 'checkpoint', 'config', 'events', 'files', 'http', 'learner', 'streams', 'text'],
  ratio: ['events'],
  import: ['events', 'files', 'http'],
  serving: ['adapters', 'http'],
  gateway: ['adapters', 'config', 'events', 'http', 'server', 'streams', 'telemetry'],
  uplift: [],
  loss: ['engine', 'events'],
  text: ['serialized-error', 'events', 'files'],
  model: ['adapters', 'engine', 'files', 'safetensors'],
  checkpoint: ['adapters', 'events', 'files', 'safetensors'],
  embeddings: ['config', 'events', 'http', 'ratio', 'text'],
  learner: [
    ...['adapters', 'serialized-error', 'checkpoint', 'config', 'engine', 'events', 'files', 'loss'],
    ...['model', 'ratio', 'safetensors'],
  ],
  streams: ['adapters', 'serialized-error', 'checkpoint', 'config', 'events', 'files', 'text', 'uplift'],
  training: ['adapters', 'checkpoint', 'config', 'events', 'files', 'learner', 'safetensors'],
  telemetry: ['adapters', 'config', 'events', 'server'],
  replay: [
    'adapters',
    'checkpoint',
    'config',
    'embeddings',
    'events',
    'files',
    'learner',
    'streams',
    'text',
    'training',
  ],
  backtest: [...['adapters', 'config', 'embeddings', 'events', 'gate', 'learner', 'ratio', 'replay', 'text', 'uplift']],
  daemon: [
    ...[
      'adapters',
      'checkpoint',
      'config',
      'embeddings',
      'events',
      'gate',
      'learner',
      'server',
      'serving',
      'streams',
      'telemetry',
      'text',
    ],
    ...['training', 'uplift'],
  ],
  demo: ['adapters', 'config', 'daemon', 'events', 'files', 'learner', 'model', 'streams', 'telemetry', 'text'],
}
/** The same for the folders of src/adapters. */
const ADAPTERS_MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  weights: [],
  versions: [],
  storage: ['versions'],
  moves: ['storage', 'versions'],
  registry: ['moves', 'storage', 'versions', 'weights'],
}
const EVERYBODYS = ['errors', 'kill-child', 'printable']

/** Packages that these folders alone know at run time; the types of TensorFlow's tensors are everybody's. */
const OWNERS: Readonly<Record<string, string | readonly string[]>> = {
  '@huggingface/jinja': 'text',
  '@huggingface/tokenizers': 'text',
  '@tensorflow/tfjs-node-gpu': 'engine',
  commander: 'cli',
  convict: 'config',
  'csv-parse': 'import',
  fzstd: ['import', 'streams'],
  hyparquet: 'import',
  kafkajs: 'streams',
  pino: 'telemetry',
  'prom-client': 'telemetry',
}

const arrows = importArrows('src')
const folders = folderArrows('src', arrows)
const isInAdapters = (file: string) => file.startsWith('src/adapters/')
const adaptersFolders = folderArrows(
  'src/adapters',
  arrows.filter(({ from, to }) => isInAdapters(from) && isInAdapters(to)),
)

it('a circle is seen however long it is, and what only leads into it is no part of it', () => {
  const graph = { a: ['b'], b: ['c'], c: ['a', 'd'], d: [], e: ['a'] }
  expect(circles(new Map(Object.entries(graph)))).toEqual([['a', 'b', 'c']])
})

describe('the imports of src', () => {
  it('go from one folder to another in one direction only, types included', () => {
    expect(circles(folders)).toEqual([])
  })

  it('make no circle of files, types included', () => {
    expect(circles(fileGraph(arrows))).toEqual([])
  })

  it('are those that the list above allows; cli may import all, and nothing imports it', () => {
    const others = [...folders].filter(([folder]) => folder !== 'cli')
    const forbidden = others.flatMap(([folder, imported]) => {
      const allowed = [...EVERYBODYS, ...(MAY_IMPORT[folder] ?? [])]
      return [...imported].filter((each) => !allowed.includes(each)).map((each) => `${folder} → ${each}`)
    })
    expect(forbidden).toEqual([])
  })

  it('are all there: no arrow is allowed that nobody uses', () => {
    const unused = Object.entries(MAY_IMPORT).flatMap(([folder, allowed]) =>
      allowed.filter((each) => !folders.get(folder)?.has(each)).map((each) => `${folder} → ${each}`),
    )
    expect(unused).toEqual([])
  })

  it('of the folders of adapters are exactly those of the second list', () => {
    const found = Object.fromEntries([...adaptersFolders].map(([folder, imported]) => [folder, [...imported].sort()]))
    expect({ weights: [], versions: [], ...found }).toEqual(ADAPTERS_MAY_IMPORT)
  })

  it('bring each package in through the one folder that wraps it', () => {
    const atRunTime = packageImports('src').filter(({ typeOnly }) => !typeOnly)
    const strangers = atRunTime.filter(
      ({ file, package: name }) => ![OWNERS[name] ?? folderOf('src', file)].flat().includes(folderOf('src', file)),
    )
    expect(strangers).toEqual([])
  })
})
