import { readFileSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { addressGroup, displaced, type Place } from './crowd.js'

/** Share of the process's file descriptors that the port may use. */
const SHARE_OF_DESCRIPTORS = 0.25
/** TCP keep-alive: the kernel probes a connection that was silent for this long. */
const KEEP_ALIVE_MS = 30_000
/** Requests of one connection that may wait for their answers. Browsers, scrapers and probes send one after another. */
const MAX_UNANSWERED = 4

interface Connection extends Place {
  readonly socket: Socket
  /** Requests without their answer. */
  unanswered: number
}

/**
 * Bounds the open connections of a server. One too many displaces another (`displaced`) instead of being refused, so
 * that a client that holds all connections cannot shut out probes, scrapes or the operator.
 */
export class ConnectionLimit {
  readonly #open = new Map<Socket, Connection>()

  /** @param onEnded  called for each connection that had to go */
  constructor(
    server: Server,
    private readonly max: number,
    private readonly onEnded: (reason: 'connection' | 'pipelining', address: string) => void,
  ) {
    server.on('connection', (socket: Socket) => this.#opened(socket))
  }

  /**
   * Whether to answer a request. A client that sends many without waiting for their answers loses its connection: a
   * packet holds hundreds of them, and all would be answered at once.
   */
  admits(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#open.get(request.socket)
    if (connection === undefined) return false
    if (connection.unanswered === MAX_UNANSWERED) {
      this.#end(connection, 'pipelining')
      return false
    }
    connection.unanswered += 1
    response.once('close', () => {
      connection.unanswered -= 1
    })
    return true
  }

  #opened(socket: Socket): void {
    socket.setKeepAlive(true, KEEP_ALIVE_MS)
    this.#open.set(socket, { socket, group: addressGroup(socket.remoteAddress), unanswered: 0 })
    socket.once('close', () => this.#open.delete(socket))
    if (this.#open.size <= this.max) return
    const victim = displaced([...this.#open.values()], ({ unanswered }) => unanswered > 0)
    if (victim !== undefined) this.#end(victim, 'connection')
  }

  #end({ socket, group }: Connection, reason: 'connection' | 'pipelining'): void {
    this.#open.delete(socket)
    this.onEnded(reason, group)
    socket.destroy()
  }
}

/** `wanted`, or fewer if the descriptor limit is low: checkpoints and brokers need descriptors too. */
export function affordableConnections(wanted: number, descriptors = descriptorLimit()): number {
  return Math.max(1, Math.min(wanted, Math.floor(descriptors * SHARE_OF_DESCRIPTORS)))
}

/** The descriptor limit of this process (`ulimit -n`); Infinity if it cannot be read. */
export function descriptorLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity
  }
}
