import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPrometheus } from '../../scripts/prometheus.mjs'
import { freePort } from './daemon.js'

const { bin, reason } = findPrometheus()

/** Why tests that need Prometheus or promtool are skipped; null where both are there. Printed once a file. */
export const withoutPrometheus: string | null = reason
if (reason !== null) console.warn(`skipped: ${reason}`)

/** One series of an answer, with its values that are numbers. */
export interface Answer {
  readonly labels: Readonly<Record<string, string>>
  readonly values: readonly number[]
}

/** Runs promtool; `output` is all that it says. */
export function promtool(
  args: readonly string[],
  input = '',
): { readonly code: number | null; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(join(bin!, 'promtool'), args, { input, encoding: 'utf8' })
  return { code: status, output: stdout + stderr }
}

/** A real Prometheus that scrapes each second, or only answers from what its folder holds. */
export class PrometheusProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** Without a path. */
    readonly address: string,
  ) {}

  /**
   * @param directory  for its data
   * @param ports      of this machine that are scraped, by job; none: nothing is scraped
   * @param rules      a file of rules to load
   */
  static async start(
    directory: string,
    ports: Readonly<Record<string, number>> = {},
    rules?: string,
  ): Promise<PrometheusProcess> {
    mkdirSync(directory, { recursive: true })
    const config = join(directory, 'prometheus.json') // JSON is YAML
    const scrapes = Object.entries(ports).map(([job_name, port]) => {
      return { job_name, static_configs: [{ targets: [`127.0.0.1:${port}`] }] }
    })
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
        rule_files: rules === undefined ? [] : [rules],
        scrape_configs: scrapes,
      }),
    )
    const address = `127.0.0.1:${await freePort()}`
    const child = spawn(
      join(bin!, 'prometheus'),
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=${address}`,
        '--log.level=warn',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const prometheus = new PrometheusProcess(child, `http://${address}`)
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    process.once('exit', () => child.kill('SIGKILL'))
    for (const end = Date.now() + 30_000; ; await sleep(200)) {
      const ready = await fetch(`http://${address}/-/ready`).catch(() => null)
      if (ready?.ok) return prometheus
      if (child.exitCode !== null || Date.now() > end) throw new Error(`Prometheus does not start\n${said}`)
    }
  }

  /** What an expression gives over the last `seconds`, each second. Throws what Prometheus says against it. */
  async range(expr: string, seconds: number): Promise<readonly Answer[]> {
    const end = Date.now() / 1000
    const parameters = { query: expr, start: String(end - seconds), end: String(end), step: '1' }
    const { result } = await this.#ask<{ result: readonly Matrix[] }>('query_range', parameters)
    return result.map(({ metric, values }) => ({
      labels: metric,
      values: values.map(([, value]) => Number(value)).filter((value) => !Number.isNaN(value)),
    }))
  }

  /** The values of a label over all series that match. */
  async labelValues(label: string, selector: string): Promise<readonly string[]> {
    return this.#ask(`label/${label}/values`, { 'match[]': selector })
  }

  /** The rules that it has loaded. */
  async rules(): Promise<readonly Rule[]> {
    const { groups } = await this.#ask<{ groups: readonly { rules: readonly Rule[] }[] }>('rules', {})
    return groups.flatMap(({ rules }) => rules)
  }

  async stop(): Promise<void> {
    const exited = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    await exited
  }

  async #ask<T>(path: string, parameters: Record<string, string>): Promise<T> {
    const response = await fetch(`${this.address}/api/v1/${path}?${new URLSearchParams(parameters)}`)
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string }
    if (status !== 'success') throw new Error(`${path}: ${error} (${JSON.stringify(parameters)})`)
    return data
  }
}

interface Matrix {
  readonly metric: Readonly<Record<string, string>>
  readonly values: readonly (readonly [number, string])[]
}

export interface Rule {
  readonly name: string
  /** `ok`, or `err` with what an evaluation failed with in `lastError`. */
  readonly health: string
  readonly lastError?: string
  readonly state: 'inactive' | 'pending' | 'firing'
}
