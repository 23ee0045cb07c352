import { expect, it } from 'vitest'
import { fromDocument } from './reading.js'

it('Dify: takes the turns before a vote from its conversation, and not the try that was asked again', async () => {
  const message = (id: string, query: string, answer: string, more: object) => ({
    ...{ id, conversation_id: 'c', inputs: {}, query, answer, message_files: [], retriever_resources: [] },
    ...{ feedback: null, status: 'normal', error: null, ...more },
  })
  const { events, drafts, skipped } = await fromDocument('dify', {
    limit: 20,
    has_more: false,
    data: [
      message('m3', 'Refund?', 'Open orders.', {
        created_at: 3,
        parent_message_id: 'm1',
        feedback: { rating: 'like' },
      }),
      message('m1', 'Hi', 'Hello!', { created_at: 1, parent_message_id: null }),
      message('m2', 'Refund?', 'No.', { created_at: 2, parent_message_id: 'm1', feedback: { rating: 'dislike' } }),
      message('m4', 'Rules?', 'See [1].', {
        ...{ created_at: 4, parent_message_id: 'm3', retriever_resources: [{ document_name: 'rules.pdf' }] },
        feedbacks: [{ rating: 'like', from_source: 'user', from_end_user_id: 'end-1' }],
      }),
      message('m5', 'This?', 'A cat.', {
        created_at: 5,
        message_files: [{ type: 'image' }],
        feedback: { rating: 'like' },
      }),
    ],
  })
  expect(events).toEqual([
    [false, 'c', ['user: Hi', 'assistant: Hello!', 'user: Refund?'], 'No.'],
    [true, 'c', ['user: Hi', 'assistant: Hello!', 'user: Refund?'], 'Open orders.'],
  ])
  expect(drafts[0]).toMatchObject({ id: 'm2@dislike', subject: 'm2', time: '1970-01-01T00:00:02.000Z' })
  expect(skipped).toEqual({ not_a_vote: 1, context_missing: 1, not_text: 1 })
})

const ROOT = '00000000-0000-0000-0000-000000000000'
const asked = (messageId: string, parent: string, text: string, more: object = {}) => ({
  ...{
    messageId,
    conversationId: 'c',
    parentMessageId: parent,
    user: '64f',
    isCreatedByUser: true,
    sender: 'User',
    text,
  },
  ...{ updatedAt: '2026-03-01T12:00:00.000Z', ...more },
})
const answered = (messageId: string, parent: string, content: unknown, more: object) => ({
  ...{ messageId, conversationId: 'c', parentMessageId: parent, user: '64f', isCreatedByUser: false, model: 'bcod' },
  ...{ endpoint: 'custom', text: '', content, updatedAt: '2026-03-01T12:01:00.000Z', ...more },
})
const text = (said: string) => [
  { type: 'think', think: 'hm' },
  { type: 'text', text: said },
]

it('LibreChat: follows the parents, reads the parts without the reasoning, and takes cleared votes for none', async () => {
  const { events, drafts, skipped } = await fromDocument('librechat', {
    messages: [
      asked('a', ROOT, 'Open today?'),
      answered('b', 'a', text('Until six.'), { feedback: { rating: 'thumbsDown', tag: 'inaccurate', text: 'seven' } }),
      answered('b2', 'a', [{ type: 'text', text: { value: 'Until seven.' } }], { feedback: { rating: 'thumbsUp' } }),
      asked('d', 'b', 'Sure?'),
      answered('e', 'd', text('Yes.'), { feedback: {} }),
      answered('f', 'd', [{ type: 'tool_call', tool_call: { name: 'clock' } }, ...text('Yes.')], {
        feedback: { rating: 'thumbsUp' },
      }),
      answered('g', 'x', text('Lost.'), { feedback: { rating: 'thumbsUp' } }),
      answered('h', 'd', text('Ye'), { unfinished: true, feedback: { rating: 'thumbsDown' } }),
    ],
  })
  expect(events).toEqual([
    [false, '64f', ['user: Open today?'], 'Until six.'],
    [true, '64f', ['user: Open today?'], 'Until seven.'],
  ])
  expect(drafts[0]).toMatchObject({
    id: `b@${Date.parse('2026-03-01T12:01:00Z')}`,
    subject: 'b',
    tags: { model: 'bcod' },
  })
  expect(skipped).toEqual({ not_a_vote: 3, prompt_missing: 1, tool_steps: 1, answer_cut: 1 })
})

it('LibreChat: reads what mongoexport writes, and conversations exported with answers inside', async () => {
  const extended = {
    ...answered('b', 'a', text('Until six.'), { feedback: { rating: 'thumbsUp' } }),
    ...{ _id: { $oid: '65f0c0ffee' }, user: { $oid: '64f' }, updatedAt: { $date: '2026-03-01T12:01:00Z' } },
  }
  const expected = [[true, '64f', ['user: Open today?'], 'Until six.']]
  const nested = {
    conversationId: 'c',
    recursive: true,
    messages: [asked('a', ROOT, 'Open today?', { children: [extended] })],
  }
  const { events, drafts } = await fromDocument('librechat', nested)
  expect(events).toEqual(expected)
  expect(drafts[0]?.time).toBe('2026-03-01T12:01:00.000Z')
  expect((await fromDocument('librechat', [asked('a', ROOT, 'Open today?'), extended])).events).toEqual(expected)
})

it('Flowise: takes the turns before from the chat, in order of time', async () => {
  const message = (id: string, role: string, content: string, at: number, more: object = {}) => ({
    ...{ id, role, chatflowid: 'x', chatId: 'c', content, sourceDocuments: null, usedTools: null, fileUploads: null },
    ...{ chatType: 'EXTERNAL', createdDate: `2026-03-01T12:00:0${at}.000Z`, ...more },
  })
  const feedback = (id: string, messageId: string, rating: string) => ({
    ...{ id, chatflowid: 'x', chatId: 'c', messageId, rating, content: 'ok', createdDate: '2026-03-01T12:00:09.000Z' },
  })
  const { events, drafts, skipped } = await fromDocument('flowise', {
    ChatFlow: [{ id: 'x', name: 'shop' }],
    ChatMessage: [
      message('m4', 'apiMessage', 'Open orders.', 4),
      message('m1', 'userMessage', 'Hi', 1),
      message('m2', 'apiMessage', 'Hello!', 2),
      message('m3', 'userMessage', 'Refund?', 3),
      message('m5', 'apiMessage', 'See [1].', 5, { sourceDocuments: '[{"pageContent":"rules"}]' }),
    ],
    ChatMessageFeedback: [
      feedback('f1', 'm4', 'THUMBS_DOWN'),
      feedback('f2', 'm5', 'THUMBS_UP'),
      feedback('f3', 'm9', 'THUMBS_UP'),
    ],
  })
  expect(events).toEqual([[false, 'c', ['user: Hi', 'assistant: Hello!', 'user: Refund?'], 'Open orders.']])
  expect(drafts[0]).toMatchObject({ id: 'f1@THUMBS_DOWN', subject: 'm4' })
  expect(skipped).toEqual({ context_missing: 1, answer_missing: 1 })
})

it('AnythingLLM: one turn each, and `--` is no vote', async () => {
  const row = {
    id: 5,
    prompt: 'Hi',
    response: 'Hello!',
    sent_at: '2026-03-01T12:00:00.000Z',
    workspace: 'w',
    username: 'ann',
  }
  const { events, drafts, skipped } = await fromDocument('anythingllm', [
    { ...row, rating: 'GOOD', attachments: [] },
    { ...row, id: 6, rating: '--', attachments: [] },
    { ...row, id: 7, rating: 'BAD', username: 'unknown user', attachments: [] },
    { ...row, id: 8, rating: 'BAD', attachments: [{ mime: 'image/png' }] },
  ])
  expect(events).toEqual([
    [true, 'ann', ['user: Hi'], 'Hello!'],
    [false, null, ['user: Hi'], 'Hello!'],
  ])
  expect(drafts[0]).toMatchObject({ id: '5@GOOD', subject: '5', time: '2026-03-01T12:00:00.000Z' })
  expect(skipped).toEqual({ not_a_vote: 1, not_text: 1 })
})
