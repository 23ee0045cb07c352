import type { ErrorTable } from './entry.js'

/** The bucket that a registry is kept in. */
export const S3_ERRORS = {
  S3_DENIED: {
    cause: 'The object store refuses the credentials, or does not let them do this.',
    remedy:
      'Check adapters.s3.accessKeyId and secretAccessKey, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. They need s3:ListBucket on the bucket, and s3:GetObject, PutObject and DeleteObject below the prefix.',
  },
  S3_NO_BUCKET: {
    cause: 'The bucket of adapters.store is not there.',
    remedy: 'Create it, or check the name in adapters.store, adapters.s3.endpoint and adapters.s3.pathStyle.',
  },
  S3_REGION: {
    cause: 'The bucket is in another region than requests are signed for.',
    remedy: 'Set adapters.s3.region to the region of the bucket.',
  },
  S3_CLOCK: {
    cause: 'The clock of this machine differs from that of the object store, so requests are refused.',
    remedy: 'Set the clock, for example with NTP.',
  },
  S3_UNAVAILABLE: {
    cause: 'The object store does not answer, or answers that it cannot now, also after several tries.',
    remedy:
      'Check adapters.s3.endpoint, the network and the store. Nothing is half done: live stays where it was, or has moved. bcod adapters list says which.',
    retryable: true,
  },
  S3_REFUSED: {
    cause: 'The object store refuses a request for a reason of its own.',
    remedy: 'See the reason in the documentation of the store.',
  },
  S3_UNCONDITIONAL: {
    cause:
      'The object store overwrites an object although the request forbids it (If-None-Match). Two writers would undo what the other has done.',
    remedy: 'Use a store with conditional writes, or a directory.',
  },
  S3_DAMAGED: {
    cause: 'An object of a version is missing, or is not what was written.',
    remedy: 'Publish another version, for example with bcod adapters rollback, and look who writes to the bucket.',
  },
} as const satisfies ErrorTable
