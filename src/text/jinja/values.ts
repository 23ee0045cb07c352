import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Environment } from '@huggingface/jinja'

/** The patches replace methods of this version; another may need others, or none. */
export const PATCHED_VERSION = '0.5.11'

/** @throws if another version of @huggingface/jinja is installed */
export function assertVersion(): void {
  const require = createRequire(import.meta.url)
  // the package does not export its package.json
  const { version } = require(join(dirname(require.resolve('@huggingface/jinja')), '..', 'package.json')) as {
    version: string
  }
  if (version !== PATCHED_VERSION) throw new Error(`@huggingface/jinja ${PATCHED_VERSION} is needed, found ${version}`)
}

/** A value as the library's interpreter has it. */
export interface Value {
  readonly type: string
  readonly value: unknown
}

/** A function of the template's language. */
export type Method = (args: readonly Value[]) => Value

type Class<T> = new (value: T) => Value

const classOf = <T>(value: object): Class<T> => value.constructor as Class<T>

// the library exports none of its values' classes
const environment = new Environment()
export const StringValue = classOf<string>(environment.set('text', ''))
export const FunctionValue = classOf<Method>(environment.set('method', () => ''))
export const IntegerValue = classOf<number>(environment.set('count', 1))
export const FloatValue = classOf<number>(environment.set('share', 0.5))
export const BooleanValue = classOf<boolean>(environment.set('flag', false))

export const text = (value: string): Value => new StringValue(value)

/** A value as Jinja prints it. */
export function printed(value: Value): string {
  if (value.type === 'UndefinedValue') return ''
  return value.type === 'NullValue' ? 'None' : String(value)
}
