/** How many adapters one batch may have, so that the base is answered rightly on the CPU. */
export const SLOTS: number

/** Arguments of a server for versions of up to that rank; `loras` of them in one batch. */
export function servingArguments(options: {
  readonly name: string
  readonly rank: number
  readonly loras: number
}): readonly string[]

export interface VllmOptions {
  /** Directory of the model. */
  readonly model: string
  /** Further arguments of `vllm serve`. */
  readonly args: readonly string[]
  /** File that takes what it prints. */
  readonly log: string
  readonly port: number
}

/** vLLM itself, on the CPU, as a process that does not outlive this one. */
export class VllmServer {
  readonly port: number
  readonly url: string
  constructor(options: VllmOptions)
  /** Resolves once it answers; after `kill` it may start again, at the same port. */
  start(): Promise<void>
  /** SIGKILL to the server and its engine. */
  kill(): Promise<void>
  /** The end of what it has printed. */
  lastLines(): string
}
