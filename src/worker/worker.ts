import type { Config } from '../config/config.js'
import { hostPort } from '../engine/cluster/address.js'
import { serverDefinition } from '../engine/cluster/definitions.js'
import { serverDevices } from '../engine/cluster/server-status.js'
import { type WorkerIdentity, workerJob } from '../engine/cluster/worker-name.js'
import { tensorFlowVersion } from '../engine/cluster/worker-program.js'
import { cpuSettings } from '../engine/environment.js'
import { hashModelDirectory } from '../safetensors/model-identity.js'
import { VERSION } from '../telemetry/version.js'
import { workerEnvironment } from './environment.js'
import { type Health, HealthServer } from './health-server.js'
import { type Ending, ServerProcess } from './server-process.js'

/** One for the device of a CPU, two more for what is sent meanwhile, and one to spare. */
const LEAST_INTER_OP_THREADS = 4
/** A server that answers nobody for this long does not serve. */
const ANSWER_LIMIT_MS = 5_000

/**
 * Lends the devices of this machine to a leader. What it computes with lives in the process of TensorFlow's server; this
 * one starts it, says whether it answers, and ends with it.
 */
export class Worker {
  private constructor(
    readonly identity: WorkerIdentity,
    /** `host:port` of the server, for programs of a leader. */
    readonly address: string,
    /** Port of /healthz. */
    readonly probePort: number,
    private readonly server: ServerProcess,
    private readonly health: HealthServer,
  ) {}

  /**
   * Resolves when it serves.
   *
   * @param onComplaint  told of each line that the server writes to stderr
   * @throws WORKER_BIND_FAILED, WORKER_FAILED, TENSORFLOW_MISSING, and of the model MODEL_FILE_MISSING,
   *         MODEL_TENSOR_MISSING, SAFETENSORS_INVALID
   */
  static async start(
    { worker, model }: Pick<Config, 'worker' | 'model'>,
    onComplaint: (line: string) => void,
  ): Promise<Worker> {
    const identity = {
      version: VERSION,
      tensorflow: await tensorFlowVersion(),
      model: model.path === null ? null : await hashModelDirectory(model.path),
    }
    const { threads } = cpuSettings({ threads: worker.threads })
    const interOpThreads = worker.interOpThreads || Math.max(threads, LEAST_INTER_OP_THREADS)
    const address = hostPort(worker.address, worker.port)
    const server = await ServerProcess.start({
      definition: serverDefinition({ job: workerJob(identity), address, threads, interOpThreads }),
      ...{ address: worker.address, tf32: model.tf32, onComplaint },
      environment: workerEnvironment({ threads, interOpThreads, kernels: model.kernels }),
    })
    const health = new HealthServer(() => healthOf(identity, hostPort(callable(worker.address), worker.port)))
    try {
      const probePort = await health.listen(worker.address, worker.probePort)
      return new Worker(identity, address, probePort, server, health)
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  /** When its server has ended. */
  get ended(): Promise<Ending> {
    return this.server.ended
  }

  async stop(): Promise<void> {
    this.health.close()
    await this.server.stop()
  }
}

/** Asks the server itself: a process that is there and answers nobody is no worker. */
async function healthOf(identity: WorkerIdentity, address: string): Promise<Health> {
  try {
    const devices = await serverDevices(address, ANSWER_LIMIT_MS)
    return { ok: true, detail: { status: 'serves', ...identity, devices: devices.map(({ name }) => name) } }
  } catch (error) {
    return { ok: false, detail: { status: 'does not answer', reason: (error as Error).message, ...identity } }
  }
}

/** Every address is none to call. */
const callable = (address: string): string =>
  address === '0.0.0.0' ? '127.0.0.1' : /^[0:]+$/.test(address) ? '::1' : address
