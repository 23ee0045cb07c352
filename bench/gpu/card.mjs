// What NVIDIA's cards say of themselves through nvidia-smi: which they are, and memory and load while something runs.
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'

const EVERY_MS = 200

/** Products of bf16 without sparsity and with sums in f32, in TFLOP/s, by the makers' data sheets; the first that fits. */
const PEAKS = [
  [/H100 PCIe/, 756],
  [/H100|H200/, 989],
  [/A100/, 312],
  [/L40S/, 362],
  [/\bL4\b/, 121],
  [/RTX 4090/, 165],
]

/** The peak of a card in TFLOP/s; null if it is not known here. @param name  as nvidia-smi says it */
export const peakOf = (name) => PEAKS.find(([pattern]) => pattern.test(name))?.[1] ?? null

/** The cards of this machine; none without nvidia-smi. */
export function cards() {
  const { status, stdout } = spawnSync('nvidia-smi', query('name,driver_version,memory.total'), { encoding: 'utf8' })
  if (status !== 0) return []
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [name, driver, mib] = line.split(', ')
      return { name, driver, memory_mib: Number(mib) }
    })
}

/** Asks every card five times a second until it is stopped. */
export class CardWatch {
  #rows = []
  #process = null

  constructor() {
    const asked = query('index,memory.used,utilization.gpu,clocks.sm,power.draw')
    this.#process = spawn('nvidia-smi', [...asked, '-lms', String(EVERY_MS)], { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#process.once('error', () => {}) // there is none: nothing is known of cards
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      const [index, mib, busy, mhz, watt] = line.split(',').map(Number)
      this.#rows.push({ at: Date.now(), index, mib, busy, mhz, watt })
    })
  }

  stop() {
    // Node sends a signal for a program that is not there to its own process group
    if (this.#process.pid !== undefined) this.#process.kill()
  }

  /** `cardReport` of what was seen. */
  report(from, to) {
    return cardReport(this.#rows, from, to)
  }
}

/**
 * Of each card the highest memory in use at any time, by whatever program, and the means of the rest between two times.
 *
 * @param rows  {at, index, mib, busy, mhz, watt}; `at`, `from` and `to` in ms
 */
export function cardReport(rows, from, to) {
  const indexes = [...new Set(rows.map(({ index }) => index))].sort((a, b) => a - b)
  return indexes.map((index) => {
    const own = rows.filter((row) => row.index === index)
    const during = own.filter(({ at }) => at >= from && at <= to)
    const mean = (key) => {
      const values = during.map((row) => row[key]).filter(Number.isFinite)
      return values.length === 0 ? null : Math.round(values.reduce((sum, value) => sum + value, 0) / values.length)
    }
    const peak = Math.max(...own.map(({ mib }) => mib))
    return { peak_mib: peak, busy_percent: mean('busy'), sm_mhz: mean('mhz'), watt: mean('watt') }
  })
}

const query = (fields) => [`--query-gpu=${fields}`, '--format=csv,noheader,nounits']
