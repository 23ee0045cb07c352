import { type Attributes, attr, DataType } from './proto.js'

/** A reference to one output of a node inside a function: `Sub_3:0`, or the bare name of an argument. */
export type Ref = string

export interface RecordedNode {
  readonly name: string
  readonly op: string
  readonly inputs: readonly Ref[]
  readonly attributes: Attributes
  /** Types of its outputs, in order. */
  readonly types: readonly DataType[]
}

/** The name of the node (or argument) that a reference points to. */
export const ownerOf = (ref: Ref): string => ref.replace(/^\^/, '').split(':', 1)[0] as string

/** The nodes of one function while it is traced. */
export class Recorder {
  readonly nodes: RecordedNode[] = []
  readonly arguments = new Map<string, DataType>()
  /** Shapes of references, as far as they are known. */
  readonly shapes = new Map<Ref, readonly number[]>()
  readonly #byName = new Map<string, RecordedNode>()
  readonly #constants = new Map<string, Ref>()

  argument(name: string, type: DataType): Ref {
    this.arguments.set(name, type)
    return name
  }

  /** Appends a node and returns the references of its outputs. `inputs` may hold control inputs (`^name`). */
  node(op: string, inputs: readonly Ref[], attributes: Attributes, types: readonly DataType[]): Ref[] {
    const name = `${op}_${this.nodes.length}`
    const node = { name, op, inputs, attributes, types }
    this.nodes.push(node)
    this.#byName.set(name, node)
    return types.map((_, index) => `${name}:${index}`)
  }

  find(name: string): RecordedNode | undefined {
    return this.#byName.get(name)
  }

  typeOf(ref: Ref): DataType {
    const owner = ownerOf(ref)
    const argument = this.arguments.get(owner)
    if (argument !== undefined) return argument
    const node = this.#byName.get(owner)
    if (!node) throw new Error(`unknown reference ${ref}`)
    return node.types[Number(ref.split(':')[1] ?? 0)] as DataType
  }

  constant(type: DataType, shape: readonly number[], values: Float32Array | Int32Array | Uint8Array): Ref {
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice()
    const key = values.length <= 8 ? `${type}|${shape}|${Buffer.from(content).toString('hex')}` : null
    const known = key === null ? undefined : this.#constants.get(key)
    if (known !== undefined) return known
    const attributes = { dtype: attr.type(type), value: attr.tensor(type, shape, content) }
    const [ref] = this.node('Const', [], attributes, [type]) as [Ref]
    if (key !== null) this.#constants.set(key, ref)
    return ref
  }

  float(value: number): Ref {
    return this.constant(DataType.float32, [], Float32Array.of(value))
  }

  int(value: number): Ref {
    return this.constant(DataType.int32, [], Int32Array.of(value))
  }

  ints(values: readonly number[]): Ref {
    return this.constant(DataType.int32, [values.length], Int32Array.from(values))
  }

  /** Names of the nodes that `roots` need; the walk does not go past references in `stop`. */
  reachable(roots: readonly Ref[], stop: ReadonlySet<Ref> = new Set()): Set<string> {
    const seen = new Set<string>()
    const open = [...roots]
    for (let ref = open.pop(); ref !== undefined; ref = open.pop()) {
      if (stop.has(ref)) continue
      const node = this.#byName.get(ownerOf(ref))
      if (!node || seen.has(node.name)) continue
      seen.add(node.name)
      open.push(...node.inputs)
    }
    return seen
  }
}
