// What tsc does not copy: the embedded model, the demo's world, the operator's page.
import { cpSync, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
for (const path of ['demo/model', 'demo/world/world.json', 'server/page'])
  if (existsSync(join(root, 'src', path)))
    cpSync(join(root, 'src', path), join(root, 'dist', path), { recursive: true })
