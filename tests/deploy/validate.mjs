// `make k8s-test`: everything that deploy/k8s renders, against the schemas of five Kubernetes versions and kube-score.
// Both validators are installed into bcod's cache, in versions that are pinned here. What neither of them sees is in
// tests/deploy/checks. BCOD_CACHE moves the cache, PYTHON names the Python.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments, stringify } from 'yaml'
import { cacheRoot, once } from '../../scripts/cache.mjs'

const KUBERNETES = ['1.30', '1.31', '1.32', '1.33', '1.34']
const KUBE_SCORE = 'v1.20.0'
const LOCK = fileURLToPath(new URL('requirements.lock.txt', import.meta.url))
const K8S = fileURLToPath(new URL('../../deploy/k8s/', import.meta.url))
const PYTHON = process.env.PYTHON ?? 'python3'
/** Their operators' schemas are in no version of Kubernetes: tests/deploy/checks/custom-resources.ts. */
const FOREIGN = /keda\.sh|monitoring\.coreos\.com/

const say = (text) => console.error(`k8s-test: ${text}`)
const answers = (command, ...args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

function checkTools() {
  const missing = [
    [answers('kubectl', 'kustomize', '--help'), 'kubectl: https://kubernetes.io/docs/tasks/tools'],
    [answers(PYTHON, '-c', 'import venv'), 'Python 3 with venv. Debian: apt-get install python3-venv'],
    [answers('go', 'version'), 'Go 1.23 or newer, which builds kube-score: https://go.dev/dl'],
  ].filter(([there]) => !there)
  if (missing.length === 0) return
  for (const [, remedy] of missing) say(`missing on this machine: ${remedy}`)
  process.exit(1)
}

/** Path of a Python that has kubernetes-validate. */
function schemaValidator() {
  const hash = createHash('sha256').update(readFileSync(LOCK)).digest('hex').slice(0, 12)
  const target = join(cacheRoot(), `kubernetes-validate-${hash}`)
  once(target, (directory) => {
    say(`installing kubernetes-validate into ${target} (once)`)
    const run = (command, args) => execFileSync(command, args, { stdio: ['ignore', 2, 2] })
    run(PYTHON, ['-m', 'venv', directory])
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    run(join(directory, 'bin', 'python'), [...pip, '--no-deps', '--only-binary=:all:', '-r', LOCK])
  })
  return join(target, 'bin', 'python')
}

/** Path of kube-score. */
function kubeScore() {
  const target = join(cacheRoot(), `kube-score-${KUBE_SCORE}`)
  once(target, (directory) => {
    say(`building kube-score ${KUBE_SCORE} into ${target} (once)`)
    execFileSync('go', ['install', `github.com/zegl/kube-score/cmd/kube-score@${KUBE_SCORE}`], {
      env: { ...process.env, GOBIN: directory },
      stdio: ['ignore', 2, 2],
    })
  })
  return join(target, 'kube-score')
}

checkTools()
const python = schemaValidator()
const score = kubeScore()
const scratch = mkdtempSync(join(tmpdir(), 'bcod-k8s-'))

/** What a validator says of the documents; null if it has nothing against them. */
function complaint(command, args, documents) {
  const file = join(scratch, 'manifests.yaml')
  writeFileSync(file, documents.map((document) => stringify(document)).join('---\n'))
  const { status, stdout, stderr, error } = spawnSync(command, [...args, file], { encoding: 'utf8' })
  if (error) throw error
  // without a schema for a kind it only warns
  return status === 0 && !/WARN/.test(stdout + stderr) ? null : `${stdout}${stderr}`.replaceAll(`${file} `, '').trim()
}

const validators = [
  ...KUBERNETES.map((version) => ({
    name: `schemas of Kubernetes ${version}`,
    judge: (documents) =>
      complaint(python, ['-m', 'kubernetes_validate', '-k', version, '--strict', '--quiet'], documents),
    // a field that is misspelt
    seeded: (documents) => documents.map((each) => ({ ...each, spec: { ...each.spec, replica: 1 } })),
  })),
  {
    name: `kube-score ${KUBE_SCORE}`,
    judge: (documents) => complaint(score, ['score', '--exit-one-on-warning', '--output-format', 'ci'], documents),
    // nothing lets anything in or out, or keeps a drain in bounds
    seeded: (documents) => documents.filter(({ kind }) => !['NetworkPolicy', 'PodDisruptionBudget'].includes(kind)),
  },
]

const render = (entry) =>
  parseAllDocuments(
    execFileSync('kubectl', ['kustomize', join(K8S, entry)], { encoding: 'utf8', maxBuffer: 2 ** 26 }),
  ).map((document) => document.toJS())
const entries = ['base', ...readdirSync(join(K8S, 'overlays')).map((name) => `overlays/${name}`)]
const builtIn = new Map(
  entries.map((entry) => [entry, render(entry).filter(({ apiVersion }) => !FOREIGN.test(apiVersion))]),
)

let failed = 0
const report = (ok, line, text) => {
  console.log(`${ok ? 'ok  ' : 'FAIL'} ${line}`)
  if (ok) return
  failed += 1
  console.log(text)
}
try {
  for (const { name, judge, seeded } of validators) {
    const seen = judge(seeded(builtIn.get('base')))
    report(seen !== null, `${name}: a seeded defect is seen`, 'it was accepted')
    for (const [entry, documents] of builtIn) {
      const said = judge(documents)
      report(said === null, `${name}: ${entry}, ${documents.length} objects`, said)
    }
  }
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
process.exitCode = failed === 0 ? 0 : 1
