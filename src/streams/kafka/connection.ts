import { readFileSync } from 'node:fs'
import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import type { KafkaConnection, KafkaSasl } from './options.js'
import { endpointToken, fileToken } from './token.js'

/**
 * How to reach the brokers that the configuration names.
 *
 * @throws FILE_UNREADABLE for a certificate or key
 */
export function kafkaConnection({ brokers, connectTimeout, tls, sasl }: Config['stream']): KafkaConnection {
  const { enabled, ca, cert, key } = tls
  return {
    brokers,
    connectTimeout,
    tls: enabled ? { enabled, ...pem('ca', ca), ...pem('cert', cert), ...pem('key', key) } : null,
    sasl: login(sasl),
  }
}

function login(sasl: Config['stream']['sasl']): KafkaSasl | null {
  const { mechanism, tokenEndpoint, tokenScope, tokenFile } = sasl
  const { username, password } = { username: sasl.username ?? '', password: sasl.password ?? '' }
  if (mechanism === null) return null
  if (mechanism !== 'oauthbearer') return { mechanism, username, password }
  const token =
    tokenEndpoint === null
      ? fileToken(tokenFile ?? '')
      : endpointToken({ url: tokenEndpoint, clientId: username, clientSecret: password, scope: tokenScope })
  return { mechanism, token }
}

function pem(name: 'ca' | 'cert' | 'key', path: string | null): { readonly [name: string]: string } {
  if (path === null) return {}
  try {
    return { [name]: readFileSync(path, 'utf8') }
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new BcodError('FILE_UNREADABLE', `stream.tls.${name} cannot be read (${reason})`, {
      place: path,
      cause: error,
    })
  }
}
