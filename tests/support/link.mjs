// The thread of a link (link.ts): passes on what connections to one address bring to another.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { host, port, target, shared } = workerData
/** Whether each way is cut, and of which process: that of the caller; 0: of all. */
const state = new Int32Array(shared)
const [AHEAD, BACK, PROCESS] = [0, 1, 2]

/** Whether a process has the other end of a connection. */
function isOf(pid, { remotePort, localPort }) {
  const end = (address = '') => Number.parseInt(address.split(':')[1], 16)
  const lines = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => readFileSync(file, 'utf8').split('\n'))
  const fields = lines.map((line) => line.trim().split(/\s+/))
  const inode = fields.find(([, local, remote]) => end(local) === remotePort && end(remote) === localPort)?.[9]
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
    } catch {
      return false // closed meanwhile
    }
  })
}

/** What is held back goes on once the way is open again, as TCP sends again what was lost. */
function carry(from, to, way) {
  const held = []
  const pass = () => {
    if (Atomics.load(state, way.flag) !== 0 && way.counts) return
    for (const send of held.splice(0)) send()
  }
  const hold = (send) => {
    held.push(send)
    pass()
  }
  const timer = setInterval(pass, 10)
  from.on('data', (chunk) => hold(() => to.write(chunk)))
  from.on('end', () => hold(() => to.end()))
  from.on('error', () => {})
  from.on('close', () => {
    hold(() => to.destroySoon())
    hold(() => clearInterval(timer))
  })
}

const server = createServer({ allowHalfOpen: true }, (from) => {
  const pid = Atomics.load(state, PROCESS)
  const counts = pid === 0 || isOf(pid, from)
  const to = connect({ ...target, allowHalfOpen: true })
  carry(from, to, { flag: AHEAD, counts })
  carry(to, from, { flag: BACK, counts })
})
server.listen(port, host, () => parentPort.postMessage('listens'))
