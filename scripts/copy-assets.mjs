// What tsc does not copy: the embedded model, the demo's world, the gate's probes, the operator's page. `node scripts/copy-assets.mjs [DIR]`
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { placeFile, placeTree } from './place.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** A build's folder. @default dist */
const out = process.argv[2] ?? join(root, 'dist')

const ASSETS = ['demo/model', 'demo/world/world.json', 'demo/world/shop-flattery.jsonl', 'gate/probes', 'server/page']

for (const path of ASSETS) {
  const from = join(root, 'src', path)
  if (!existsSync(from)) continue
  const place = statSync(from).isDirectory() ? placeTree : placeFile
  place(from, join(out, path))
}
