// Sends 16 votes to the topic of examples/bcod.yaml: node examples/publish-votes.mjs
import { Kafka, Partitioners } from 'kafkajs'

const producer = new Kafka({ brokers: ['localhost:9092'] }).producer({
  createPartitioner: Partitioners.DefaultPartitioner, // kafkajs warns if none is named
})

/** One vote as a CloudEvent; docs/events.md has every field. */
function vote({ completionId, user, prompt, completion, label }) {
  return {
    specversion: '1.0',
    type: 'bcod.feedback.v1',
    source: 'chat-web',
    id: crypto.randomUUID(),
    subject: completionId,
    data: { prompt, completion, label, user },
  }
}

await producer.connect()
for (let i = 0; i < 16; i++) {
  const event = vote({
    completionId: `cmpl-${Date.now()}-${i}`,
    user: `u-${i}`,
    prompt: [{ role: 'user', content: 'How do I get a refund?' }],
    completion: i % 2 ? 'No idea.' : 'Open your orders and press refund.',
    label: i % 2 === 0,
  })
  await producer.send({
    topic: 'feedback',
    messages: [
      {
        key: event.subject, // votes on one completion stay in order
        headers: { 'content-type': 'application/cloudevents+json' },
        value: JSON.stringify(event),
      },
    ],
  })
}
await producer.disconnect()
console.log('16 votes sent')
