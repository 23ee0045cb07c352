import type { FunctionLibrary } from '../../src/engine/index.js'

/** What a run of a program asks TensorFlow to do. */
export interface Operations {
  /** Matrix products. */
  readonly products: number
  /** Functions that XLA compiles whatever the executor is: each is a kernel or a few. */
  readonly compiled: number
  /** Ifs and cases: on a GPU the host waits for what decides. */
  readonly choices: number
  /** All else that touches data: most are a kernel each. */
  readonly others: number
}

const NONE: Operations = { products: 0, compiled: 0, choices: 0, others: 0 }
/** Neither a kernel nor a copy. */
const FREE = new Set([
  ...['Const', 'Identity', 'Reshape', 'ReadVariableOp', 'AssignVariableOp', 'Bitcast'],
  ...['TensorListReserve', 'TensorListSetItem', 'TensorListGetItem'],
])

// the generated classes have these as well; src writes graphs and reads none (src/engine/proto.ts)
interface Attribute {
  getFunc(): { getName(): string }
  getList(): { getFuncList(): { getName(): string }[] }
}
interface Node {
  getOp(): string
  getAttrMap(): { get(key: string): Attribute }
}
interface Definition {
  getSignature(): { getName(): string }
  getNodeDefList(): Node[]
}

/**
 * Counts the operations of a function and of all that it calls. Every loop is one over the layers; of the branches of a
 * choice the dearest counts.
 */
export function operationsOf(library: FunctionLibrary, name: string, layers: number): Operations {
  const definitions = new Map(
    (library.definitions as unknown as Definition[]).map((each) => [each.getSignature().getName(), each]),
  )
  const known = new Map<string, Operations>()
  const of = (called: string): Operations => {
    const found = known.get(called)
    if (found) return found
    const definition = definitions.get(called)
    if (!definition) throw new Error(`there is no function ${called}`)
    const total = definition.getNodeDefList().map(ofNode).reduce(sum, NONE)
    known.set(called, total)
    return total
  }
  const ofNode = (node: Node): Operations => {
    const attributes = node.getAttrMap()
    const named = (key: string) => attributes.get(key).getFunc().getName()
    switch (node.getOp()) {
      case 'PartitionedCall':
        return attributes.get('_XlaMustCompile') ? { ...NONE, compiled: 1 } : of(named('f'))
      case 'StatelessWhile':
        return times(layers, of(named('body')))
      case 'StatelessIf':
        return sum({ ...NONE, choices: 1 }, dearest([of(named('then_branch')), of(named('else_branch'))]))
      case 'StatelessCase': {
        const branches = attributes.get('branches').getList().getFuncList()
        return sum({ ...NONE, choices: 1 }, dearest(branches.map((branch) => of(branch.getName()))))
      }
      case 'BatchMatMulV2':
        return { ...NONE, products: 1 }
      default:
        return FREE.has(node.getOp()) ? NONE : { ...NONE, others: 1 }
    }
  }
  return of(name)
}

const combine = (of: (key: keyof Operations) => number): Operations => ({
  products: of('products'),
  compiled: of('compiled'),
  choices: of('choices'),
  others: of('others'),
})
const sum = (a: Operations, b: Operations): Operations => combine((key) => a[key] + b[key])
const times = (n: number, a: Operations): Operations => combine((key) => n * a[key])
const dearest = (all: readonly Operations[]): Operations => combine((key) => Math.max(...all.map((each) => each[key])))
