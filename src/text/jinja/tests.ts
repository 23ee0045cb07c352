import { contained } from './operators.js'
import { environment, equal, isNumber, type Value } from './values.js'

/**
 * Tests: iterable are lists and texts only, a boolean is no number, and what is equal is the same.
 *
 * No upstream report found: jinja 0.5.11, Environment.TESTS.
 */
export function patchTests(): void {
  const tests = environment.tests as unknown as Map<string, (...values: Value[]) => boolean>
  tests.set('iterable', ({ type }) => ITERABLE.includes(type))
  tests.set('number', ({ value }) => isNumber(value))
  tests.set('float', ({ type }) => type === 'FloatValue')
  for (const name of ['eq', 'equalto', '==']) tests.set(name, (a, b) => equal(a, b!))
  tests.set('ne', (a, b) => !equal(a, b!))
  tests.set('in', (a, b) => {
    const found = contained(a, b!, true)
    if (!found) throw new Error('in of what is no list')
    return found.value === true
  })
}

const ITERABLE = ['ArrayValue', 'StringValue', 'ObjectValue', 'UndefinedValue']
