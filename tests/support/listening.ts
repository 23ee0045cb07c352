import { readFileSync } from 'node:fs'

/** The addresses that somebody listens at on a port, as the kernel writes them: hex digits, each 32 bits turned around. */
export const listeningAt = (port: number): readonly string[] =>
  ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === LISTEN && Number.parseInt(local?.split(':')[1] ?? '', 16) === port)
      .map(([, local]) => local!.split(':')[0]!),
  )

const LISTEN = '0A'

/** 127.0.0.1, also as an IPv6 socket has it, and ::1. */
export const LOOPBACK = ['0100007F', '0000000000000000FFFF00000100007F', '00000000000000000000000001000000']
