import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { K8S } from './manifest.js'

/** docs/deployment.md. */
export const guide = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')

/** Its blocks of a language, or those of one section. */
export function blocks(language: string, section?: string): readonly string[] {
  const text = section === undefined ? guide : guide.split(/^## /m).find((each) => each.startsWith(`${section}\n`))!
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => match[1]!)
}

/** The block that follows the name of a file. */
export const file = (name: string): string =>
  new RegExp(`^\`${name}\`[^\\n]*\\n\\n\`\`\`yaml\\n([\\s\\S]*?)^\`\`\``, 'm').exec(guide)![1]!

/** Puts the checkout `bcod` and the guide's overlay `my-bcod` side by side, as the guide has them. */
export function packBatch(directory: string, kustomization = file('my-bcod/kustomization.yaml')): void {
  cpSync(K8S, join(directory, 'bcod/deploy/k8s'), { recursive: true })
  cpSync(join(K8S, '../../grafana'), join(directory, 'bcod/grafana'), { recursive: true })
  mkdirSync(join(directory, 'my-bcod'))
  for (const name of ['my-bcod/bcod.yaml', 'my-bcod/gateway.yaml']) writeFileSync(join(directory, name), file(name))
  writeFileSync(join(directory, 'my-bcod/kustomization.yaml'), kustomization)
}
