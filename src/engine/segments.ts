import { DataType } from './proto.js'
import { ownerOf, type RecordedNode, type Recorder, type Ref } from './recorder.js'

/**
 * Where the work of a program belongs that reads variables of several stages.
 *
 * Computing goes where the variables are: an operation on a variable, or on a list that is kept, runs at its stage, any
 * other at the stage of what it waits for longest. Work of one stage that needs nothing more from another is one
 * segment, so that a pass forward and backward through S stages is 2S − 1 of them.
 */
export interface Segment {
  readonly stage: number
  /** How many times its work has gone from one stage to another before. */
  readonly depth: number
  /** What it takes from earlier segments, and what it has for later ones and for the host; references of the trace. */
  readonly imports: readonly Ref[]
  readonly exports: readonly Ref[]
  /** Its nodes that assign variables. */
  readonly updates: readonly string[]
}

interface Spot {
  readonly stage: number
  depth: number
}

/**
 * Cuts a trace into segments, in an order in which each comes after those it needs.
 *
 * Reads of variables, and what depends on the program's inputs and constants alone, belong to no segment: each that
 * needs them has them by itself, and nothing is sent.
 *
 * @param outputs  what the host fetches
 * @param updates  names of the nodes that assign variables
 * @param stageOf  the stage of a variable by the name of its argument; null for other arguments
 * @throws Error if a variable is read in another segment than the one that assigns it: nothing would order the two
 */
export function cutIntoSegments(
  recorder: Recorder,
  outputs: readonly Ref[],
  updates: readonly string[],
  stageOf: (argument: string) => number | null,
): readonly Segment[] {
  const needed = recorder.reachable([...outputs, ...updates])
  const nodes = recorder.nodes.filter(({ name }) => needed.has(name))
  const spots = new Spots(recorder, nodes, stageOf)
  const segments = new Map<string, Parts>()
  const partsAt = ({ stage, depth }: Spot): Parts => {
    const key = `${depth} ${stage}`
    const known = segments.get(key)
    if (known) return known
    const parts = { stage, depth, imports: new Set<Ref>(), exports: new Set<Ref>(), updates: [] as string[] }
    segments.set(key, parts)
    return parts
  }
  for (const node of nodes) {
    const spot = spots.of(node.name)
    if (spot === undefined) continue
    const own = partsAt(spot)
    if (updates.includes(node.name)) own.updates.push(node.name)
    for (const ref of dataInputs(node)) {
      const source = spots.sourceOf(ref, spot)
      if (source === null) continue
      own.imports.add(ref)
      partsAt(source).exports.add(ref)
    }
  }
  for (const ref of outputs) partsAt(spots.sourceOf(ref, null) ?? { stage: 0, depth: 0 }).exports.add(ref)
  assertOrdered(nodes, spots, updates)
  return [...segments.values()]
    .sort((a, b) => a.depth - b.depth || a.stage - b.stage)
    .map((parts) => ({ ...parts, imports: [...parts.imports], exports: [...parts.exports] }))
}

interface Parts extends Spot {
  readonly imports: Set<Ref>
  readonly exports: Set<Ref>
  readonly updates: string[]
}

const isControl = (ref: Ref) => ref.startsWith('^')
const dataInputs = (node: RecordedNode) => node.inputs.filter((ref) => !isControl(ref))
const isRead = (node: RecordedNode) => node.op === 'ReadVariableOp'

/** The stage and the depth of every node that belongs to a segment. */
class Spots {
  readonly #spots = new Map<string, Spot>()
  readonly #reads = new Map<string, number>()

  constructor(
    private readonly recorder: Recorder,
    nodes: readonly RecordedNode[],
    private readonly stageOf: (argument: string) => number | null,
  ) {
    for (const node of nodes) this.#place(node)
    this.#postpone(nodes)
  }

  of(name: string): Spot | undefined {
    return this.#spots.get(name)
  }

  /** Where a value comes from for work at a spot, or for the host; null if whoever needs it has it by itself. */
  sourceOf(ref: Ref, spot: Spot | null): Spot | null {
    const owner = ownerOf(ref)
    const read = this.#reads.get(owner)
    if (read !== undefined) return read === spot?.stage ? null : { stage: read, depth: 0 }
    const source = this.#spots.get(owner)
    if (source === undefined) return null
    return source.stage === spot?.stage && source.depth === spot.depth ? null : source
  }

  #place(node: RecordedNode): void {
    if (isRead(node)) {
      this.#reads.set(node.name, this.stageOf(node.inputs[0] as Ref) as number)
      return
    }
    const inputs = dataInputs(node)
    const stages = inputs.map((ref) => this.#pinned(ref)).filter((stage) => stage !== null)
    const before = inputs.map((ref) => this.#spots.get(ownerOf(ref))).filter((spot) => spot !== undefined)
    const last = before.reduce<Spot | null>(
      (latest, spot) => (latest && latest.depth >= spot.depth ? latest : spot),
      null,
    )
    const assigned = node.op === 'AssignVariableOp' ? this.stageOf(inputs[0] as Ref) : null
    const stage = assigned ?? (stages.length > 0 ? Math.min(...stages) : last?.stage)
    // it depends on nothing but the program's inputs and constants
    if (stage === undefined) return
    const foreign = inputs.some((ref) => (this.#reads.get(ownerOf(ref)) ?? stage) !== stage)
    const depths = before.map((spot) => spot.depth + (spot.stage === stage ? 0 : 1))
    this.#spots.set(node.name, { stage, depth: Math.max(foreign ? 1 : 0, ...depths) })
  }

  /** The stage that holds a value to itself: of a variable, or of a list; null if it may be sent. */
  #pinned(ref: Ref): number | null {
    const owner = ownerOf(ref)
    const read = this.#reads.get(owner)
    if (read !== undefined) return read
    if (this.recorder.arguments.has(owner)) return this.stageOf(owner)
    return this.recorder.typeOf(ref) === DataType.variant ? (this.#spots.get(owner)?.stage ?? null) : null
  }

  /**
   * What waits for nothing from another stage is computed in the first segment that needs it. Where lists do not leave a
   * call, they become tensors in the segment that has filled them, and lists again in the one that reads them.
   */
  #postpone(nodes: readonly RecordedNode[]): void {
    const limits = new Map<string, number>()
    const lastOf = new Map<number, number>()
    for (const { stage, depth } of this.#spots.values()) lastOf.set(stage, Math.max(lastOf.get(stage) ?? 0, depth))
    for (const node of nodes.toReversed()) {
      const spot = this.#spots.get(node.name)
      if (spot === undefined) continue
      const isReady = spot.depth === 0 && node.op !== 'TensorListStack'
      if (isReady || node.op === 'TensorListFromTensor')
        spot.depth = limits.get(node.name) ?? (lastOf.get(spot.stage) as number)
      for (const ref of dataInputs(node)) {
        const source = this.#spots.get(ownerOf(ref))
        if (source === undefined) continue
        const limit = spot.depth - (source.stage === spot.stage ? 0 : 1)
        limits.set(ownerOf(ref), Math.min(limits.get(ownerOf(ref)) ?? limit, limit))
      }
    }
  }
}

function assertOrdered(nodes: readonly RecordedNode[], spots: Spots, updates: readonly string[]): void {
  const assigned = new Map(
    nodes.filter(({ name }) => updates.includes(name)).map(({ name, inputs }) => [inputs[0] as Ref, spots.of(name)]),
  )
  const reads = new Map(nodes.filter(isRead).map(({ name, inputs }) => [name, inputs[0] as Ref]))
  for (const node of nodes)
    for (const ref of dataInputs(node)) {
      const spot = assigned.get(reads.get(ownerOf(ref)) ?? '')
      const own = spots.of(node.name)
      if (spot && own && (own.stage !== spot.stage || own.depth !== spot.depth))
        throw new Error(`${reads.get(ownerOf(ref))} is read in another segment than the one that assigns it`)
    }
}
