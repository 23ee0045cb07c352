import { increase, of, type PageSpec, type PanelSpec, type Query, quantiles, rate } from './panel.js'

const here = '{{instance}}'

/** A series of NVIDIA's DCGM exporter, of each GPU. */
const gpu = (name: string): Query => ({
  expr: `${name}{instance=~"$gpu"}`,
  legend: 'GPU {{gpu}} {{Hostname}}',
  mayBeEmpty: 'there is a GPU with NVIDIA’s DCGM exporter, or there is not',
})

const WITHOUT_EXPORTER = 'Empty without NVIDIA’s DCGM exporter.'

const gpuPanels: readonly PanelSpec[] = [
  {
    kind: 'lines',
    title: 'GPU use',
    shows: `Share of time in which a kernel ran. ${WITHOUT_EXPORTER}`,
    good: 'high while votes wait, low otherwise.',
    bad: 'near 0 while the lag grows: the program runs on the processor, see bcod doctor.',
    unit: 'percent',
    queries: [gpu('DCGM_FI_DEV_GPU_UTIL')],
  },
  {
    kind: 'lines',
    title: 'GPU memory',
    shows: `Memory in use on the device, by everything. ${WITHOUT_EXPORTER}`,
    good: 'flat, with room above.',
    bad: 'at the device’s size: steps fall back to smaller blocks.',
    unit: 'decmbytes',
    queries: [gpu('DCGM_FI_DEV_FB_USED')],
  },
  {
    kind: 'lines',
    title: 'GPU power',
    shows: `Power that the device draws. ${WITHOUT_EXPORTER}`,
    good: 'follows its use.',
    bad: 'far below its limit at full use: it is throttled.',
    unit: 'watt',
    queries: [gpu('DCGM_FI_DEV_POWER_USAGE')],
  },
  {
    kind: 'lines',
    title: 'GPU temperature',
    shows: `Temperature of the device. ${WITHOUT_EXPORTER}`,
    good: 'below 80 °C.',
    bad: 'above 85 °C: steps get slower.',
    unit: 'celsius',
    bounds: { above: true, look: 80, wrong: 85 },
    queries: [gpu('DCGM_FI_DEV_GPU_TEMP')],
  },
]

export const machine: PageSpec = {
  uid: 'bcod-machine',
  title: 'bcod: Machine',
  description: 'What the daemon costs, and whether its process, disk and device are sound.',
  rows: [
    {
      title: 'Daemon',
      panels: [
        {
          kind: 'states',
          title: 'State',
          shows: 'The state that each daemon is in.',
          good: 'running, or standby for the second of two.',
          bad: 'paused for long, or joining again and again.',
          unit: 'bool',
          colours: { paused: 'orange', failed: 'red', '(starting|loading|joining|standby|draining|stopped)': 'blue' },
          queries: [{ expr: of('bcod_lifecycle_state'), legend: `{{state}} ${here}` }],
        },
        {
          kind: 'figure',
          title: 'Running for',
          shows: 'Time since the process started.',
          good: 'days.',
          bad: 'minutes, again and again: look at the log for what ends it.',
          unit: 's',
          queries: [{ expr: `time() - ${of('process_start_time_seconds')}`, legend: here }],
        },
        {
          kind: 'name',
          title: 'Version',
          shows: 'Versions of bcod and Node.js.',
          good: 'one version.',
          bad: 'two at once, long after an upgrade.',
          unit: 'none',
          queries: [
            {
              expr: `count by (version, node) (${of('bcod_build_info')})`,
              legend: 'bcod {{version}}, Node {{node}}',
            },
          ],
        },
        {
          kind: 'name',
          title: 'Settings',
          shows: 'What shapes learning.',
          good: 'what you set.',
          bad: 'anything else: a file, a variable or a flag has overridden it.',
          unit: 'none',
          queries: [
            {
              expr: `count by (mode, reduction, ratio, dtype, executor, schedule) (${of('bcod_config_info')})`,
              legend: '{{mode}} {{reduction}}, ratio {{ratio}}, {{dtype}} {{executor}}, {{schedule}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Training',
      panels: [
        {
          kind: 'lines',
          sparse: true,
          title: 'Step time',
          shows: 'Time of one optimizer step.',
          good: 'in one band; the first steps of a shape are slower.',
          bad: 'rises while tokens a step do not: something else uses the machine.',
          unit: 's',
          queries: quantiles('bcod_step_duration_seconds'),
        },
        {
          kind: 'lines',
          title: 'Steps',
          shows: 'Applied optimizer steps, a second.',
          good: 'follows the votes, divided by batch.size.',
          bad: '0 while the lag is not.',
          unit: 'cps',
          queries: [{ expr: rate('bcod_train_steps_total'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Tokens',
          shows: 'Trained tokens a second, without padding.',
          good: 'follows the votes; bcod bench measures what the machine can do.',
          bad: 'at that bound while the lag grows.',
          unit: 'cps',
          queries: [{ expr: rate('bcod_train_tokens_total'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Compiling',
          shows: 'Time spent on compiling programs.',
          good: 'at the start, and with a new shape now and then.',
          bad: 'all the time: shapes vary too much; raise batch.tokens or lower limits.maxLength.',
          unit: 's',
          queries: [{ expr: increase('bcod_compile_duration_seconds_sum'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Tensor handles',
          shows: 'Tensor handles alive in the engine, as of each checkpoint.',
          good: 'flat.',
          bad: 'a slope: a leak, which ends in want of memory.',
          unit: 'short',
          queries: [{ expr: of('bcod_tensors'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Largest block',
          shows: 'Positions of the largest block that memory allowed; 0 as long as none was refused.',
          good: '0.',
          bad: 'a figure: the device was full once; lower batch.tokens to it, or raise the memory.',
          unit: 'short',
          queries: [{ expr: of('bcod_block_limit_tokens'), legend: here }],
        },
      ],
    },
    {
      title: 'Process',
      panels: [
        {
          kind: 'lines',
          title: 'Processors',
          shows: 'Processors in use.',
          good: 'up to model.threads during steps.',
          bad: 'at the container’s limit all the time.',
          unit: 'short',
          queries: [{ expr: rate('process_cpu_seconds_total'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Memory',
          shows: 'Memory of the process, and of JavaScript’s heap in it.',
          good: 'flat after the first hour.',
          bad: 'a slope, or close to the container’s limit.',
          unit: 'bytes',
          queries: [
            { expr: of('process_resident_memory_bytes'), legend: `resident ${here}` },
            { expr: of('nodejs_heap_size_used_bytes'), legend: `heap ${here}` },
            { expr: of('nodejs_external_memory_bytes'), legend: `external ${here}` },
          ],
        },
        {
          kind: 'lines',
          title: 'Event-loop lag',
          shows: 'How late timers of the main thread are; training runs in another thread.',
          good: 'p99 below 0.2 s.',
          bad: 'above 1 s: heartbeats to Kafka and the probes are late.',
          unit: 's',
          bounds: { above: true, look: 0.2, wrong: 1 },
          queries: [
            { expr: of('nodejs_eventloop_lag_p50_seconds'), legend: `p50 ${here}` },
            { expr: of('nodejs_eventloop_lag_p99_seconds'), legend: `p99 ${here}` },
          ],
        },
        {
          kind: 'lines',
          top: 0.1,
          title: 'Garbage collection',
          shows: 'Share of time spent on it.',
          good: 'below 2 %.',
          bad: 'above 10 %: the heap is too small for what waits; lower stream.pendingEvents.',
          unit: 'percentunit',
          bounds: { above: true, look: 0.02, wrong: 0.1 },
          queries: [{ expr: `sum by (instance) (${rate('nodejs_gc_duration_seconds_sum')})`, legend: here }],
        },
        {
          kind: 'lines',
          title: 'Open files',
          shows: 'File descriptors in use.',
          good: 'flat, some dozens.',
          bad: 'a slope towards the limit of the process.',
          unit: 'short',
          queries: [{ expr: of('process_open_fds'), legend: here }],
        },
        {
          kind: 'bars',
          title: 'Turned away',
          shows: 'Requests, watchers and connections that the port turned away, by reason.',
          good: '0, or a few host and token by mistake.',
          bad: 'token all the time: guessing; connection all the time: one client holds the port open.',
          unit: 'short',
          queries: [
            {
              expr: `sum by (reason) (${increase('bcod_http_refused_total')})`,
              legend: '{{reason}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Disk and device',
      panels: [
        {
          kind: 'lines',
          sparse: true,
          title: 'Checkpoint time',
          shows: 'Time to write one checkpoint.',
          good: 'in one band, well below checkpoint.every.',
          bad: 'rises: the disk is slow or full.',
          unit: 's',
          queries: quantiles('bcod_checkpoint_duration_seconds'),
        },
        {
          kind: 'lines',
          title: 'Age of the last checkpoint',
          shows: 'Time since the last complete checkpoint. Where no vote comes, none is written.',
          good: 'below checkpoint.every while votes come.',
          bad: 'minutes while steps are applied: a crash would repeat all of them.',
          unit: 's',
          queries: [{ expr: `time() - ${of('bcod_checkpoint_last_success_timestamp_seconds')}`, legend: here }],
        },
        {
          kind: 'lines',
          title: 'Free disk',
          shows: 'Free space in the checkpoint directory, as of the last checkpoint.',
          good: 'falls slowly with the journal.',
          bad: 'below what two checkpoints need: the next ones fail.',
          unit: 'bytes',
          queries: [{ expr: of('bcod_checkpoint_free_bytes'), legend: here }],
        },
        {
          kind: 'lines',
          title: 'Memory of the training device',
          shows: 'Memory of the training device that the process uses.',
          good: 'flat.',
          bad: 'a slope, or close to what the device has.',
          unit: 'bytes',
          queries: [
            {
              expr: of('bcod_device_memory_bytes'),
              legend: here,
            },
          ],
        },
      ],
    },
    { title: 'GPU, from NVIDIA’s DCGM exporter', collapsed: true, panels: gpuPanels },
  ],
}
