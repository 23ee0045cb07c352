import {
  autoOrList,
  bytes,
  choice,
  duration,
  flag,
  integer,
  list,
  listOf,
  object,
  optionalInteger,
  optionalText,
  real,
  text,
} from './setting.js'

/** The optimizer counts its steps in f32, which is exact up to here. */
const LAST_COUNTED_STEP = 2 ** 24

/** Keys of what is learnt and how: the model, the adapter, the objective, the optimizer, the batch. */
export const learning = {
  model: {
    path: optionalText('Directory of the base model in Hugging Face layout: config.json, safetensors, tokenizer.json.'),
    chatTemplate: optionalText(
      "Which of the model's named chat templates. null: the one named default, and tool_use for votes with tools.",
    ),
    chatTemplateKwargs: object(
      'Variables that the chat template gets, as your server sets them: {"enable_thinking": false}. Those of a vote (data.chat_template_kwargs) take precedence.',
    ),
    dtype: choice(
      ['f32', 'bf16'],
      'f32',
      'Number type of matrix products. Softmax, norms, loss, δ and the optimizer are always f32.',
    ),
    executor: choice(
      ['auto', 'graph', 'xla'],
      'auto',
      "How the programs run: TensorFlow's own kernels (graph) or compiled by XLA (xla). auto is xla on a GPU; on a CPU it is graph, or xla if that was measured to be faster (model.measure). A lineage keeps the executor it began with.",
    ),
    kernels: choice(
      ['auto', 'onednn', 'eigen'],
      'auto',
      'Whose matrix products graph uses on a CPU. auto is onednn (or what TF_ENABLE_ONEDNN_OPTS says), or eigen if that was measured to be faster. A lineage keeps the kernels it began with.',
    ),
    measure: flag(
      true,
      'On a CPU: before a lineage begins, measure for some seconds which executor, kernels and threads are fastest for this model, and take others than the rule gives if they are clearly faster. It is measured once for each processor and kind of model, leaves alone what is set, and is left out for small models. false: the rule alone.',
    ),
    tf32: flag(
      false,
      'On a GPU: multiply f32 in TF32, which is faster and keeps 10 of the 23 bits behind the point. It changes nothing on a CPU, and nothing of bf16. A lineage keeps what it began with.',
    ),
    reference: text(
      'base',
      "What π_ref is: the bare base model ('base'), a published version by its name (v00001234), or a PEFT adapter directory.",
    ),
    gradientCheckpointing: flag(
      false,
      'Keep only the input of each layer for the backward pass and compute the rest again: less memory, a slower step.',
    ),
    stages: integer(
      1,
      { min: 1, max: 64 },
      'How many devices share one copy of the model, for one that is larger than the memory of a device: each holds a run of its layers, and devices lists them in the order of the layers. With 2, [GPU:0, GPU:1] is one place; named twice, [GPU:0, GPU:1, GPU:0, GPU:1], it computes two packed batches at a time, so that neither device waits. auto does that with all GPUs. At most as many as the model has layers. Programs that XLA compiles round otherwise in stages: a lineage of theirs keeps the number it began with.',
    ),
    referenceCache: bytes(
      '256MiB',
      { min: 0 },
      'How much the reference keeps of what events of a step have in common at their beginnings (a system prompt of 256 tokens or more), so that later steps need not compute it again. 1,024 tokens take 45 MiB for a model of 135 million parameters, 256 MiB for one of 8 billion. It changes no result. 0 = none.',
    ),
    compilationCache: optionalText(
      'On a GPU: directory in which XLA keeps what it has compiled, so that the next start compiles less. It may be removed at any time. null: `compiled` in checkpoint.dir for the daemon, none for other commands.',
    ),
    threads: integer(
      0,
      { min: 0, max: 1024 },
      'CPU threads of one training step; 0 = all cores, or one for each two that share a core if that was measured to be faster. A lineage keeps the number it began with.',
    ),
    interOpThreads: integer(
      0,
      { min: 0, max: 1024 },
      'CPU threads that run operations side by side; 0 = as many as model.threads and more than devices has places on the CPU, or 1 if that was measured to be faster. A lineage keeps the number it began with.',
    ),
  },
  devices: autoOrList(
    'Where steps are computed: auto, or devices of one kind in order, such as [GPU:0, GPU:1]. auto is all GPUs of the machine, or else its CPU. The first has the state; the packed batches of a step go to all of them in turn, so a step needs as many as there are devices (batch.size, batch.tokens). So do scores, the gate and groups of answers. On hardware of one kind no result depends on how many there are. A device that is named twice computes two batches at the same time and holds the weights once: CPU:0, CPU:0 keeps the cores of a CPU busier. CPU:0, CPU:1 and so on are parts of one CPU with weights of their own, for tests. HOST:PORT/GPU:0 is a device of a worker (bcod worker, leader.address); one that is away or fails is left out.',
  ),
  lora: {
    r: integer(16, { min: 1, max: 1024 }, 'Rank of the adapter.'),
    alpha: real(32, { above: 0 }, 'Scale of the adapter: alpha / r, or alpha / sqrt(r) with lora.rslora.'),
    rslora: flag(false, 'Rank-stabilised scaling: alpha / sqrt(r).'),
    targets: listOf(
      ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'],
      'The linear layers that get an adapter, by their names in PEFT.',
    ),
    init: optionalText('Directory of a PEFT adapter to start from. null: A Kaiming-uniform from the seed, B zero.'),
  },
  bco: {
    mode: choice(
      ['paper', 'trl'],
      'paper',
      "paper: class-balanced moving δ of the BCO paper. trl: parity with TRL's BCOTrainer.",
    ),
    beta: real(0.1, { min: 0 }, 'β of the implicit reward β (log π − log π_ref).'),
    deltaHalfLife: real(256, { above: 0 }, "Half-life of each class's mean reward in δ, in events of that class."),
    reduction: choice(
      ['classRate', 'classMean'],
      'classRate',
      'classRate weighs each event by the inverse of the moving share of its class; classMean takes the mean of each class within the step.',
    ),
  },
  ratio: {
    mode: choice(
      ['online', 'off', 'fit-once'],
      'online',
      'The prompt classifier behind the density ratio w(x): trained online, off (w = 1), or fitted once as TRL does.',
    ),
    min: real(0.5, { above: 0, max: 1 }, 'Lower bound of w(x).'),
    max: real(10, { min: 1 }, 'Upper bound of w(x).'),
    normalise: flag(false, 'Divide w(x), after clamping, by its moving mean.'),
    halfLife: real(
      16_000,
      { above: 0 },
      'Longest half-life of the classifier, in events; an eighth and a sixty-fourth of it are tried as well.',
    ),
    minPerClass: integer(20, { min: 1 }, 'w = 1 until this many events of each class have been seen.'),
    embedder: choice(
      ['prompt-state', 'ngrams', 'endpoint'],
      'prompt-state',
      "What the classifier sees of a prompt: the reference model's own state of it, hashed n-grams of its tokens, or the embedding from embeddings.url.",
    ),
    embeddingModel: optionalText('The model to request at embeddings.url. Required for endpoint.'),
  },
  optimizer: {
    lr: real(1e-4, { min: 0 }, 'Peak learning rate. 0 trains nothing but still measures.'),
    beta1: real(0.9, { min: 0, below: 1 }, 'Decay of the first moment (AdamW).'),
    beta2: real(0.999, { min: 0, below: 1 }, 'Decay of the second moment (AdamW).'),
    eps: real(1e-8, { above: 0 }, 'Added to the root of the second moment (AdamW).'),
    weightDecay: real(0, { min: 0 }, 'Decoupled weight decay on every LoRA tensor.'),
    clipNorm: real(1, { min: 0 }, 'Global gradient norm is clipped to this; 0 = off.'),
    schedule: choice(['constant', 'linear', 'cosine'], 'constant', 'Learning rate after the warm-up.'),
    warmupSteps: integer(0, { min: 0, max: LAST_COUNTED_STEP }, 'Steps of linear warm-up from 0 to optimizer.lr.'),
    totalSteps: optionalInteger(
      { min: 1, max: LAST_COUNTED_STEP },
      'The step at which a linear or cosine schedule reaches 0. Required for both.',
    ),
  },
  batch: {
    size: integer(8, { min: 1 }, 'Events per optimizer step.'),
    tokens: integer(
      2048,
      { min: 1 },
      'Token budget of one micro-batch; it bounds memory and does not change the result.',
    ),
    maxLatency: duration(
      '30s',
      { min: 0 },
      'A step runs with fewer events when the oldest has waited this long. 0 = wait for a full batch, unless reading is paused.',
    ),
    stratify: flag(true, 'Mix both classes into each step if the waiting events allow it. false: in order of arrival.'),
    lookAhead: integer(
      64,
      { min: 0, max: 4096 },
      'A step may choose among this many of the oldest waiting events, and takes those that begin alike (a system prompt, a conversation): what they share is computed once. The oldest is always taken. 0 = by age alone, as with batch.stratify=false.',
    ),
  },
  limits: {
    maxLength: integer(1024, { min: 2 }, 'Longest event in tokens. A prompt loses tokens from its left to fit.'),
    tokeniseTimeout: duration(
      '5s',
      { min: 100 },
      'How long chat template and tokenizer may take for one vote. A vote that takes longer becomes a dead letter, so a template or a pattern that never ends cannot stop the votes behind it. Ordinary votes take a millisecond, the longest a fifth of a second.',
    ),
    maxRecordBytes: bytes(
      '1MiB',
      { min: 1 },
      'A record whose key, value and headers are larger together is a dead letter.',
    ),
    maxBatchBytes: bytes(
      '32MiB',
      { min: 65_536 },
      'A batch of records from Kafka that takes more memory than this once unpacked becomes one dead letter. A compressed batch may unpack to a thousand times its size; this limit keeps it from filling the memory.',
    ),
    specialTokens: choice(
      ['reject', 'escape', 'allow'],
      'reject',
      "What to do with the model's control tokens (such as <|im_end|>) in messages and in completions given as text. With them a voter could end a turn and speak for the system. reject makes a dead letter, escape trains them as plain characters, allow trains them as control tokens. A prompt that is one literal text may contain them.",
    ),
    userShare: real(
      0.1,
      { min: 0, max: 1 },
      'Largest share that one user may have of the last 10,000 admitted events, or of all while there are fewer: one voter cannot turn the model. Votes of a source without data.user count as one user: set 0 if no votes have users, or if fewer than ten people vote. 0 = off; off in replay unless set.',
    ),
    userMinimum: integer(
      100,
      { min: 1 },
      'A user may always have this many of the last 10,000 admitted events, whatever limits.userShare says: at the start, a share of what was admitted is nearly nothing. 1 is the strictest.',
    ),
    promptRepeats: integer(
      100,
      { min: 0 },
      'How often the same prompt (without case, white space and invisible characters) trains within the last 10,000 admitted events: one question cannot crowd out all others. 0 = off; off in replay unless set.',
    ),
    adapterAge: integer(
      0,
      { min: 0 },
      'Drops votes on completions of an adapter that is more than this many steps old (data.adapter). 0 = off, the default: bcod cannot know how long your users take to vote. Not in replay.',
    ),
    sources: list(
      [],
      'The CloudEvents sources that may train; the source of bare rows and tombstones is the topic. Empty, the default: all, because bcod cannot know the names of your applications, and a wrong list drops honest votes. Name them if anybody else can write to the topic; behind bcod gateway, gateway.source alone admits only votes on answers that it gave.',
    ),
  },
  eval: {
    holdOut: real(
      0,
      { min: 0, max: 0.5 },
      'Share of conversations that never train, chosen by a hash of what their user says first and of the seed. The gate measures candidates on their votes.',
    ),
    holdOutKeep: integer(256, { min: 1, max: 10_000 }, 'How many held-out votes of each label are kept: the newest.'),
    holdOutAge: duration('30d', { min: 0 }, 'Held-out votes older than this are forgotten. 0 = off.'),
  },
}
