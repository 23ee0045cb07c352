import { prototypeOf } from './kafkajs.js'

interface Connection {
  authenticate(): Promise<void>
  disconnect(): Promise<unknown>
}

/**
 * A login that fails halfway, such as for want of a token, leaves its connection open. The next attempt begins another
 * handshake on it, which the broker refuses as out of order, and that hides the reason. Here the connection is closed.
 *
 * No upstream report found: kafkajs 2.2.4, src/network/connection.js:314.
 */
export function closeAfterFailedLogin(): void {
  const connection = prototypeOf<Connection>('kafkajs/src/network/connection')
  const authenticate = connection.authenticate
  connection.authenticate = async function () {
    try {
      await authenticate.call(this)
    } catch (error) {
      await this.disconnect().catch(() => undefined)
      throw error
    }
  }
}
