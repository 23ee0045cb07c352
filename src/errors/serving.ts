import type { ErrorTable } from './entry.js'

/** Servers that load published versions. */
export const SERVING_ERRORS = {
  SERVING_UNREACHABLE: {
    cause: 'A model server of publish.targets gave no answer: no connection, or none within publish.timeout.',
    remedy: 'Check its URL and whether it runs. Nothing goes live until every server has the version.',
    retryable: true,
  },
  SERVING_UNAUTHORIZED: {
    cause: 'A model server does not take the API key.',
    remedy: 'Set publish.apiKey, or apiKey of the target, to the key that the server was started with.',
  },
  SERVING_REFUSED: {
    cause:
      'A model server cannot load a version. It would refuse it again, so it is not asked again until it has restarted.',
    remedy: 'Read what it says, start it with the options that docs/serving.md names, and compare them with lora.*.',
  },
  SERVING_ANSWER: {
    cause: 'A model server answered something that its API does not have.',
    remedy: 'Check that the URL leads to a server of the kind that publish.targets says, and its version.',
  },
  SERVING_MISSING: {
    cause:
      'A model server does not have the live version loaded: it has restarted, is new, or somebody has unloaded it.',
    remedy: 'None is needed if the next log line says that it was mended: the version is loaded again by itself.',
  },
  SERVING_MISMATCH: {
    cause: 'A model server answers a version by other numbers than the learner computes for it.',
    remedy:
      'Check that it serves the base model of model.path and reads the registry that bcod writes (path of the target). If it computes with less precision, raise publish.attest.',
  },
  SERVING_NO_REPLICA: {
    cause: 'A name of publish.targets resolves to no address.',
    remedy: 'Check the name; for Kubernetes it must be a headless service that has ready pods.',
    retryable: true,
  },
} as const satisfies ErrorTable
