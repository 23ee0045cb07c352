import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Broker, startBroker } from '../../src/demo/kafka/broker.js'

export { type Broker, type BrokerOptions, CLUSTER_ID, startBroker } from '../../src/demo/kafka/broker.js'

/** Users of a secure broker, name to password. `admin` may do everything, the others what an ACL grants. */
export const USERS = { admin: 'admin-secret', reader: 'reader-secret', gateway: 'gateway-secret' } as const

export interface SecureBroker extends Broker {
  /** PEM of its self-signed certificate. */
  readonly ca: string
}

/** A broker with TLS, SCRAM-SHA-512 and ACLs, in `dir`. Needs openssl. */
export async function startSecureBroker(dir: string): Promise<SecureBroker> {
  const [certificate, store] = [join(dir, 'cert.pem'), join(dir, 'server.pem')]
  if (!existsSync(store)) {
    const key = join(dir, 'key.pem')
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650']
    execFileSync('openssl', ['req', '-x509', ...kind, ...subject, '-keyout', key, '-out', certificate], {
      stdio: 'ignore',
    })
    writeFileSync(store, readFileSync(key, 'utf8') + readFileSync(certificate, 'utf8'), { mode: 0o600 })
  }
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule'
  const broker = await startBroker({
    dir,
    users: USERS,
    properties: {
      'listener.security.protocol.map': 'CLIENT:SASL_SSL,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
      'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
      'listener.name.client.scram-sha-512.sasl.jaas.config': `${login} required username="admin" password="${USERS.admin}";`,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': store,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': certificate,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:admin;User:ANONYMOUS', // ANONYMOUS is the controller's own loopback listener
    },
  })
  return { ...broker, ca: readFileSync(certificate, 'utf8') }
}
