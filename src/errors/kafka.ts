import type { ErrorTable } from './entry.js'

/** Kafka: the connection, the topics, the positions in the log, the embedded broker. */
export const KAFKA_ERRORS = {
  CLUSTER_CHANGED: {
    cause: 'The checkpoint was made on another Kafka cluster or topic.',
    remedy:
      'Set stream.brokers and stream.topic to those of the checkpoint, or start a new lineage with an empty checkpoint.dir.',
  },
  TOPIC_RECREATED: {
    cause: 'The topic was deleted and recreated: its offsets mean other records than those that were read.',
    remedy:
      'Start a new lineage with an empty checkpoint.dir and another stream.groupId; lora.init can take up the last adapter.',
  },
  POSITION_BEYOND_END: {
    cause: 'It was read further than the log goes: records were lost or the topic was recreated.',
    remedy:
      'Restore the topic, or start a new lineage with an empty checkpoint.dir; lora.init can take up the last adapter.',
  },
  POSITION_EXPIRED: {
    cause: "Records that were not read are gone: the topic's retention deleted them.",
    remedy: 'Accept the loss with --accept-gap (stream.acceptGap), and raise retention.ms of the topic.',
  },
  KAFKA_UNREACHABLE: {
    cause: 'No broker answered.',
    remedy:
      'Check stream.brokers, that a broker runs there, the network between, and whether the port expects TLS (stream.tls) or a login (stream.sasl).',
    retryable: true,
  },
  KAFKA_LEADER_MISSING: {
    cause: 'A partition of the topic has no leader: every broker that holds its records is down or out of sync.',
    remedy:
      'Start the brokers that hold its replicas (kafka-topics.sh --describe --unavailable-partitions). bcod waits stream.connectTimeout for them at a start, and without end later: it trains only while it reads every partition.',
    retryable: true,
  },
  KAFKA_TLS_FAILED: {
    cause:
      'The encrypted connection to the broker could not be set up: its certificate is not trusted or does not fit.',
    remedy:
      'Set stream.tls.ca to the certificate authority of the brokers, or stream.tls.enabled=false for a plain port.',
  },
  KAFKA_LOGIN_FAILED: {
    cause: 'The broker refused the user name, the password, the token or the SASL mechanism, or no token was given.',
    remedy:
      'Check stream.sasl.mechanism, username and password; with oauthbearer also tokenEndpoint, tokenScope or tokenFile.',
  },
  KAFKA_NOT_AUTHORIZED: {
    cause: 'The Kafka user may not do what bcod needs.',
    remedy:
      'Grant READ and DESCRIBE on the topic, READ on the consumer group, and WRITE and DESCRIBE on the dead-letter topic. DESCRIBE_CONFIGS on the topics is optional: it gives retention, the maximum size of dead letters and who stamps the records.',
  },
  KAFKA_TOPIC_MISSING: {
    cause: 'The topic does not exist, or the Kafka user may not see it.',
    remedy: 'Create the topic, or correct stream.topic.',
  },
  KAFKA_DLQ_MISSING: {
    cause: 'The dead-letter topic does not exist and the Kafka user may not create it.',
    remedy: 'Create the topic (one partition is enough), or grant CREATE on it.',
  },
  KAFKA_OFFSET_OUT_OF_RANGE: {
    cause: 'The log no longer holds the offset to read next: retention or a recreated topic took it.',
    remedy: 'Records are lost. Start with --accept-gap to continue after the gap, and raise retention.ms of the topic.',
  },
  KAFKA_OFFSET_TOO_LARGE: {
    cause: 'An offset does not fit 2^53 − 1, the largest integer that bcod keeps exactly.',
    remedy: 'Move the feedback to a new topic.',
  },
  KAFKA_CODEC_UNKNOWN: {
    cause:
      'A batch of records is compressed in a way that Kafka’s protocol does not know, or its codec cannot be loaded.',
    remedy:
      'Reading continues after it; the dead letter contains the batch. Set compression.type of its producer to gzip, snappy, lz4 or zstd and publish its records again.',
  },
  KAFKA_BATCH_DAMAGED: {
    cause: 'A batch of records could not be unpacked or taken apart, or its checksum does not fit.',
    remedy:
      'Reading continues after it; the dead letter contains the batch as the broker keeps it. Look for the producer that writes such batches, check the disks of the brokers, and publish its records again.',
  },
  KAFKA_BATCH_TOO_LARGE: {
    cause: 'A batch of records takes more memory than limits.maxBatchBytes once it is unpacked.',
    remedy:
      'Reading continues after it; the dead letter contains the batch. If it is not an attack, have its producer send smaller batches or raise limits.maxBatchBytes, and publish its records again.',
  },
  KAFKA_GROUP_SHARED: {
    cause:
      'Other programs are members of the consumer group, with a protocol or an assignment strategy that bcod does not support.',
    remedy:
      'Give bcod its own group (stream.groupId, one for each adapter), or stop the other members: kafka-consumer-groups.sh --describe --members --group GROUP names them. A group keeps its protocol until it is empty.',
  },
  KAFKA_ASSIGNMENT_LOST: {
    cause: 'The group gave the partition to another member before its offset was committed.',
    remedy: 'Nothing is lost: the next assignment reads on from the checkpoint. Keep one bcod per group and adapter.',
  },
  KAFKA_CLOSED: {
    cause: 'The connection to Kafka was closed while the call waited.',
    remedy: 'Start bcod again; the last checkpoint is intact.',
  },
  KAFKA_FAILED: {
    cause: 'The broker or the Kafka client refused in a way that bcod does not know.',
    remedy: 'Read the message and the broker’s log; the last checkpoint is intact.',
  },
  BROKER_JAVA_MISSING: {
    cause: 'The embedded Kafka broker needs Java 17 or newer.',
    remedy: 'Install it (apt-get install openjdk-17-jre-headless) and see that `java` is on the PATH.',
  },
  BROKER_JARS_MISSING: {
    cause: 'The jars of the embedded Kafka broker are not in the cache.',
    remedy: 'Fetch them once with `node scripts/kafka-jars.mjs` in a checkout; it needs Maven and the network.',
  },
  BROKER_START_FAILED: {
    cause: 'The embedded Kafka broker did not start.',
    remedy: 'Read its log; free about 400 MB of memory and the port.',
  },
} as const satisfies ErrorTable
