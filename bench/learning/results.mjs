// The file of results: a line of JSON for each run. A run that is there is not done again.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'

export class Results {
  #rows

  /** @param experiment  what all runs have in common; those of others in the file are passed over */
  constructor(path, experiment) {
    this.path = path
    this.experiment = experiment
    const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n').filter(Boolean) : []
    const own = JSON.stringify(experiment)
    this.#rows = lines.map((line) => JSON.parse(line)).filter((row) => JSON.stringify(row.experiment) === own)
  }

  get rows() {
    return this.#rows
  }

  has(run) {
    return this.#rows.some((row) => keyOf(row) === keyOf(run))
  }

  add(row) {
    this.#rows.push(row)
    appendFileSync(this.path, `${JSON.stringify({ experiment: this.experiment, ...row })}\n`)
  }
}

const keyOf = ({ point, contender, settings, seed }) => JSON.stringify([point, contender, settings, seed])
