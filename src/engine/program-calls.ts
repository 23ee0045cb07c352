import type { FunctionLibrary, Output } from './functions.js'
import { attr, DataType } from './proto.js'
import type { Recorder, Ref } from './recorder.js'
import { cutIntoSegments, type Segment } from './segments.js'
import { type Inputs, inputArgument, stageOf, type Variable, variableArgument } from './variable.js'

/** A result of a call, by their numbers. */
export interface Source {
  readonly call: number
  readonly result: number
}
interface Made extends Source {
  readonly type: DataType
}

/** What a call takes: an input of the program, a variable, or a result of an earlier call. */
export type Operand = { readonly input: string } | { readonly variable: Variable } | Made

/** A call of one function. A program is one call unless its variables are at several stages. */
export interface ProgramCall {
  /** Of its function. */
  readonly name: string
  readonly stage: number
  readonly operands: readonly Operand[]
  /** Types of its results. */
  readonly types: readonly DataType[]
  /** Whether it sets variables; of several calls, one that does has a last result that says so. */
  readonly assigns: boolean
}

/** The trace of a program. */
export interface Trace {
  readonly name: string
  readonly inputs: Inputs
  readonly variables: readonly Variable[]
  readonly recorder: Recorder
  readonly outputs: readonly Output[]
  /** Control inputs: what has assigned a variable. */
  readonly updates: readonly Ref[]
}

/** The calls of a program, and what its outputs are of what they return. */
interface Calls {
  readonly calls: readonly ProgramCall[]
  readonly sources: readonly Source[]
}

/** Writes a program as one function. Its outputs wait for its updates by themselves. */
export function writeWhole(library: FunctionLibrary, trace: Trace): Calls {
  const { name, inputs, variables, recorder, outputs, updates } = trace
  const operands = [...Object.keys(inputs).map((input) => ({ input })), ...variables.map((variable) => ({ variable }))]
  const options = { stateful: true, inline: true, keep: updates }
  library.write(name, operands.map(argumentOf), outputs, recorder, options)
  const stage = variables[0] === undefined ? 0 : stageOf(variables[0])
  const call = { name, stage, operands, types: outputs.map(({ type }) => type), assigns: updates.length > 0 }
  return { calls: [call], sources: outputs.map((_, result) => ({ call: 0, result })) }
}

/** Writes a program as one function for each of its segments. */
export function writeSegments(library: FunctionLibrary, trace: Trace): Calls {
  const { recorder, variables, outputs, updates } = trace
  const stages = new Map(variables.map((variable) => [variableArgument(variable), stageOf(variable)]))
  const segments = cutIntoSegments(
    recorder,
    outputs.map(({ ref }) => ref),
    updates.map((ref) => ref.slice(1)),
    (argument) => stages.get(argument) ?? null,
  )
  const made = new Map<Ref, Made>()
  const calls = segments.map((segment, call) => {
    const written = writeSegment(library, trace, segment, { call, made })
    segment.exports.forEach((ref, result) => {
      made.set(ref, { call, result, type: written.types[result] as DataType })
    })
    return written
  })
  return { calls, sources: outputs.map(({ ref }) => made.get(ref) as Made) }
}

interface Written {
  /** The number of the call. */
  readonly call: number
  /** What earlier calls have made. */
  readonly made: ReadonlyMap<Ref, Made>
}

function writeSegment(
  library: FunctionLibrary,
  { name: program, inputs, variables, recorder }: Trace,
  { stage, imports, exports, updates }: Segment,
  { call, made }: Written,
): ProgramCall {
  const name = `${program}/${call}`
  const taken = imports.map((ref, i) => ({ argument: `value_${i}`, ref, operand: made.get(ref) as Made }))
  const renamed = new Map(taken.map(({ argument, ref }) => [ref, argument]))
  const results = exports.map((ref, i) => ({ name: `result_${i}`, ref, type: recorder.typeOf(ref) }))
  if (updates.length > 0) results.push({ name: 'done', ref: doneAfter(recorder, updates), type: DataType.int32 })
  const roots = results.map(({ ref }) => ref)
  const used = argumentsOf(recorder, roots, renamed)
  const own = [...Object.keys(inputs).map((input) => ({ input })), ...variables.map((variable) => ({ variable }))]
  const fromHost = own.filter((operand) => used.has(argumentOf(operand)[0]))
  const signature = [
    ...fromHost.map(argumentOf),
    ...taken.map(({ argument, operand }) => [argument, operand.type] as const),
  ]
  library.write(name, signature, results, recorder, { stateful: true, inline: true, renamed })
  const operands = [...fromHost, ...taken.map(({ operand }) => operand)]
  return { name, stage, operands, types: results.map(({ type }) => type), assigns: updates.length > 0 }
}

const argumentOf = (operand: Exclude<Operand, Made>): readonly [string, DataType] =>
  'input' in operand
    ? [inputArgument(operand.input), DataType.int32]
    : [variableArgument(operand.variable), DataType.resource]

/** A number that is there once variables are assigned. */
function doneAfter(recorder: Recorder, updates: readonly string[]): Ref {
  const inputs = [recorder.int(0), ...updates.map((name) => `^${name}`)]
  return recorder.node('Identity', inputs, { T: attr.type(DataType.int32) }, [DataType.int32])[0] as Ref
}

/** The arguments that values need, apart from what is imported. */
function argumentsOf(recorder: Recorder, roots: readonly Ref[], imported: ReadonlyMap<Ref, string>): Set<string> {
  const needed = recorder.reachable(roots, new Set(imported.keys()))
  const nodes = recorder.nodes.filter(({ name }) => needed.has(name))
  return new Set([...roots, ...nodes.flatMap(({ inputs }) => inputs)].filter((ref) => recorder.arguments.has(ref)))
}
