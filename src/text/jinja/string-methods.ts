import { capitalized, given, strip } from './python-strings.js'
import { FunctionValue, StringValue, text, type Value } from './values.js'

type Builtins = Map<string, Value>

/** A method of ours, known by its class. */
class PatchedMethod extends FunctionValue {}

const SIDES = { strip: 'both', lstrip: 'left', rstrip: 'right' } as const

/**
 * `strip`, `lstrip` and `rstrip` ignore which characters they are to take (`strip('\n')` in Qwen3's template), and what
 * is white space to JavaScript's trim is not quite what it is to Python. `capitalize` leaves all but the first character
 * as it is.
 *
 * Reported: https://github.com/huggingface/huggingface.js/pull/2465 (open) for `capitalize`. No upstream report found for
 * the others: jinja 0.5.11, StringValue.builtins.
 */
export function patchStringMethods(): void {
  const strings = StringValue.prototype as { readonly builtins: Builtins }
  const libraryBuiltins = getterOf(strings, 'builtins')
  Object.defineProperty(strings, 'builtins', {
    get(this: { readonly value: string }): Builtins {
      const builtins = libraryBuiltins.call(this)
      if (builtins.get('strip') instanceof PatchedMethod) return builtins
      for (const [name, side] of Object.entries(SIDES)) {
        builtins.set(name, new PatchedMethod(([characters]) => text(strip(this.value, side, given(characters)))))
      }
      builtins.set('capitalize', new PatchedMethod(() => text(capitalized(this.value))))
      return builtins
    },
  })
}

function getterOf(prototype: object, name: string): (this: unknown) => Builtins {
  const getter = Object.getOwnPropertyDescriptor(prototype, name)?.get
  if (!getter) throw new Error(`@huggingface/jinja has no getter ${name}`)
  return getter as (this: unknown) => Builtins
}
