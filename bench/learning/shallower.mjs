// A model of only the first layers of another: the same head and weights, less work.
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Writes it into `directory`, and returns that. The weights are linked; nobody reads those of other layers. */
export function shallower(model, layers, directory) {
  mkdirSync(directory, { recursive: true })
  for (const name of readdirSync(model))
    if (name !== 'config.json') symlinkSync(join(model, name), join(directory, name))
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  if (!(layers > 0 && layers <= config.num_hidden_layers))
    throw new Error(`the model has ${config.num_hidden_layers} layers`)
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: layers }))
  return directory
}
