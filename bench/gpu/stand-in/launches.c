// Streams, kernels, and graphs of launches. All that is given out is done at once.
#include "stand-in.h"

CALL(cuStreamCreate, void **s, unsigned flags) { return handle(s); }
CALL(cuStreamCreateWithPriority, void **s, unsigned flags, int priority) { return handle(s); }
CALL(cuStreamSynchronize, void *s) { return waits(); }
CALL(cuStreamIsCapturing, void *s, int *is) { *is = captured != NULL; return 0; }
CALL(cuLaunchHostFunc, void *s, void (*call)(void *), void *with) { call(with); return 0; }
CALL(cuEventCreate, void **e, unsigned flags) { return handle(e); }
CALL(cuEventElapsedTime, float *ms, void *from, void *to) { *ms = 0.01f; return 0; }
CALL(cuEventSynchronize, void *e) { return waits(); }
SUCCEEDS(cuStreamDestroy_v2)
SUCCEEDS(cuStreamQuery)
SUCCEEDS(cuStreamWaitEvent)
SUCCEEDS(cuEventDestroy_v2)
SUCCEEDS(cuEventQuery)
SUCCEEDS(cuEventRecord)
CALL(cudaEventCreate, void **e) { return handle(e); }
CALL(cudaEventCreateWithFlags, void **e, unsigned flags) { return handle(e); }
CALL(cudaEventElapsedTime, float *ms, void *from, void *to) { *ms = 0.01f; return 0; }
CALL(cudaEventSynchronize, void *e) { return waits(); }
CALL(cudaStreamAddCallback, void *s, void (*call)(void *, int, void *), void *with, unsigned f) { call(s, 0, with); return 0; }
SUCCEEDS(cudaEventDestroy)
SUCCEEDS(cudaEventRecord)
SUCCEEDS(cudaStreamQuery)
SUCCEEDS(cudaStreamSetAttribute_ptsz)

// kernels

static int module(void **m) { count(MODULES, 1); return handle(m); }
CALL(cuModuleLoadData, void **m, const void *image) { return module(m); }
CALL(cuModuleLoadDataEx, void **m, const void *image, unsigned n, int *options, void **values) { return module(m); }
CALL(cuModuleLoadFatBinary, void **m, const void *image) { return module(m); }
CALL(cuModuleGetFunction, void **f, void *m, const char *name) { return handle(f); }
CALL(cuModuleGetGlobal_v2, void **p, size_t *n, void *m, const char *name) {
  void *own;
  allocate(&own, 1 << 24);
  if (p) *p = own;
  if (n) *n = 1 << 24;
  return 0;
}
CALL(cuFuncGetAttribute, int *v, int which, void *f) { *v = which == 0 ? 1024 : which == 4 ? 32 : 0; return 0; }
CALL(cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, int *n, void *f, int b, size_t s, unsigned g) { *n = 2; return 0; }
CALL(cuLaunchKernel, void) { return kernel(); }
CALL(cuLaunchKernelEx, void) { return kernel(); }
SUCCEEDS(cuModuleUnload)
SUCCEEDS(cuFuncSetAttribute)
SUCCEEDS(cuFuncSetCacheConfig)
SUCCEEDS(cuTensorMapEncodeTiled)

/** cudaFuncAttributes of CUDA 12.9, by the offsets of its fields. */
CALL(cudaFuncGetAttributes, void *p, const void *f) {
  memset(p, 0, 144);
  put_int(p, 24, 1024);
  put_int(p, 28, 32);
  put_int(p, 32, 90);
  put_int(p, 36, 90);
  return 0;
}
CALL(cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, int *n, const void *f, int b, size_t s, unsigned g) { *n = 2; return 0; }
CALL(cudaGetFuncBySymbol, void **f, const void *symbol) { return handle(f); }
CALL(cudaLaunchKernel, void) { return kernel(); }
GIVES(void **) __cudaRegisterFatBinary(void *image) { void *h; handle(&h); return h; }
CALL(__cudaPopCallConfiguration, void *grid, void *block, size_t *shared, void **stream) {
  const unsigned one[3] = {1, 1, 1};
  memcpy(grid, one, sizeof one);
  memcpy(block, one, sizeof one);
  *shared = 0;
  *stream = NULL;
  return 0;
}
SUCCEEDS(__cudaPushCallConfiguration)
SUCCEEDS(__cudaRegisterFatBinaryEnd)
SUCCEEDS(__cudaRegisterFunction)
SUCCEEDS(__cudaRegisterVar)
SUCCEEDS(__cudaUnregisterFatBinary)
SUCCEEDS(cudaMemcpyToSymbol)

// graphs: XLA gives out many launches at once

static int new_graph(struct graph **g) { *g = calloc(1, sizeof **g); return 0; }
static int node(void **n) { return n == NULL ? 0 : handle(n); }

CALL(cuGraphCreate, struct graph **g, unsigned flags) { return new_graph(g); }
CALL(cuGraphAddKernelNode_v2, void **n, struct graph *g) { g->kernels++; return node(n); }
CALL(cuGraphAddMemcpyNode, void **n, struct graph *g) { g->copies++; return node(n); }
CALL(cuGraphAddMemsetNode, void **n, struct graph *g) { g->fills++; return node(n); }
CALL(cudaGraphAddMemcpyNode1D, void **n, struct graph *g) { g->copies++; return node(n); }
CALL(cudaGraphAddMemsetNode, void **n, struct graph *g) { g->fills++; return node(n); }
CALL(cuGraphAddEmptyNode, void **n, struct graph *g) { return node(n); }
CALL(cuGraphAddNode_v2, void **n, struct graph *g) { return node(n); }
CALL(cuGraphAddChildGraphNode, void **n, struct graph *g, const void *after, size_t count_, const struct graph *child) {
  g->kernels += child->kernels;
  g->products += child->products;
  g->fills += child->fills;
  g->copies += child->copies;
  return node(n);
}
CALL(cuGraphChildGraphNodeGetGraph, void *n, struct graph **g) { return new_graph(g); }
/** What can be launched is a copy of the graph as it is now. */
CALL(cuGraphInstantiateWithFlags, struct graph **launchable, const struct graph *g, unsigned long long flags) {
  new_graph(launchable);
  **launchable = *g;
  return 0;
}
CALL(cuGraphLaunch, const struct graph *g, void *s) {
  count(GRAPH_LAUNCHES, 1);
  count(GRAPH_KERNELS, g->kernels);
  count(GRAPH_PRODUCTS, g->products);
  count(GRAPH_FILLS, g->fills);
  count(GRAPH_COPIES, g->copies);
  return 0;
}
CALL(cuGraphDestroy, struct graph *g) { return release(g); }
CALL(cuGraphExecDestroy, struct graph *g) { return release(g); }
/** One for all, if there are any: XLA refuses an empty graph. */
static int nodes_of(const struct graph *g, void **nodes, size_t *n) {
  *n = g->kernels + g->products + g->fills + g->copies > 0;
  return *n > 0 && nodes != NULL ? handle(nodes) : 0;
}
CALL(cuGraphGetNodes, struct graph *g, void **nodes, size_t *n) { return nodes_of(g, nodes, n); }
CALL(cuGraphGetRootNodes, struct graph *g, void **nodes, size_t *n) { return nodes_of(g, nodes, n); }
CALL(cudaGraphGetRootNodes, struct graph *g, void **nodes, size_t *n) { return nodes_of(g, nodes, n); }
CALL(cuGraphNodeGetType, void *n, int *type) { *type = 0; return 0; }
CALL(cuStreamBeginCaptureToGraph, void *s, struct graph *g) { captured = g; return 0; }
CALL(cuStreamEndCapture, void *s, struct graph **g) { *g = captured; captured = NULL; return 0; }
SUCCEEDS(cuGraphExecChildGraphNodeSetParams)
SUCCEEDS(cuGraphExecKernelNodeSetParams_v2)
SUCCEEDS(cuGraphExecMemcpyNodeSetParams)
SUCCEEDS(cuGraphExecMemsetNodeSetParams)
SUCCEEDS(cuGraphKernelNodeSetAttribute)
SUCCEEDS(cuGraphDebugDotPrint)
