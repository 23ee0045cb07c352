import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import { AllowedHosts } from '../../src/server/allowed-hosts.js'

describe('the names under which the port answers', () => {
  const hosts = new AllowedHosts(['bcod.example.com', '*.intern.example'])

  it.each<[string | undefined, string]>([
    ['127.0.0.1:9464', 'an address: what the kubelet and a PodMonitor send'],
    ['10.42.0.17:9464', 'an address'],
    ['[::1]:9464', 'an address'],
    ['[fd00::17]', 'an address'],
    ['localhost:9464', "this machine's own name"],
    ['bcod.localhost', 'RFC 6761, 6.3'],
    ['bcod:9464', 'a service of the same namespace, or of docker compose'],
    ['bcod.bcod.svc:9464', 'a service'],
    ['bcod-0.bcod.bcod.svc.cluster.local:9464', 'a pod of a service'],
    [`${hostname()}:9464`, 'what the machine calls itself'],
    ['BCOD.Example.COM:443', 'configured'],
    ['bcod.example.com.:443', 'the same with its root'],
    ['a.b.intern.example', 'configured'],
    [undefined, 'HTTP/1.0 without a Host, which no browser sends'],
  ])('%s: %s', (header, _why) => {
    expect(hosts.allows(header)).toBe(true)
  })

  it.each([
    'rebound.example.net:9464',
    'bcod.example.com.rebound.example.net',
    'xbcod.example.com',
    'intern.example.net',
    'svc.example.net',
    'xsvc.cluster.local.example.net',
    '127.0.0.1.example.net',
    'localhost.example.net:9464',
    '1.2.3.4.5',
    '[::1].example.net',
    'user@localhost',
    'localhost:9464, rebound.example.net',
    '',
    ' ',
    'bcod.example.com:123456',
    'bücher.example',
  ])('not %j', (header) => {
    expect(hosts.allows(header)).toBe(false)
  })

  it('may be any, where that is asked for', () => {
    expect(new AllowedHosts(['*']).allows('whatever.example.net')).toBe(true)
  })
})
