import { Interpreter } from '@huggingface/jinja'
import {
  BooleanValue,
  FloatValue,
  IntegerValue,
  ListValue,
  ObjectValue,
  printed,
  shown,
  text,
  type Value,
} from './values.js'

interface Blocks {
  evaluate(node: unknown, scope: unknown): Value
  evaluateBlock(statements: readonly { readonly type: string }[], scope: unknown): Value
}

/**
 * `{{ none }}` prints nothing, booleans and large or small floats print as JavaScript's, lists and objects as JSON. Statements that print nothing are none as well.
 *
 * No upstream report found: jinja 0.5.11, Interpreter.evaluateBlock.
 */
export function patchPrinting(): void {
  const blocks = Interpreter.prototype as unknown as Blocks
  blocks.evaluateBlock = function (statements, scope) {
    let all = ''
    for (const statement of statements) {
      const value = this.evaluate(statement, scope)
      if (value.type !== 'NullValue' || !SILENT.includes(statement.type)) all += printed(value)
    }
    return text(all)
  }
  for (const Kind of [ListValue, ObjectValue, FloatValue, IntegerValue, BooleanValue]) {
    Kind.prototype.toString = function (this: Value) {
      return shown(this)
    }
  }
}

const SILENT: readonly string[] = ['Set', 'Macro', 'Comment']
