// Products of cuBLAS and cuBLASLt, and what TensorFlow asks of the other libraries when it starts.
#include "stand-in.h"

CALL(cublasCreate_v2, void **h) { return handle(h); }
CALL(cublasGetVersion_v2, void *h, int *v) { *v = 120900; return 0; }
CALL(cublasGetMathMode, void *h, int *mode) { *mode = 0; return 0; }
CALL(cublasGetPointerMode_v2, void *h, int *mode) { *mode = 0; return 0; }
CALL(cublasGetStream_v2, void *h, void **s) { *s = NULL; return 0; }
CALL(cublasSgemm_v2, void) { return product(); }
CALL(cublasSgemmEx, void) { return product(); }
CALL(cublasSgemmBatched, void) { return product(); }
CALL(cublasSgemmStridedBatched, void) { return product(); }
CALL(cublasSgemv_v2, void) { return product(); }
CALL(cublasDgemm_v2, void) { return product(); }
CALL(cublasGemmEx, void) { return product(); }
CALL(cublasGemmBatchedEx, void) { return product(); }
CALL(cublasGemmStridedBatchedEx, void) { return product(); }
GIVES(const char *) cublasGetStatusString(int s) { return "stand-in"; }
SUCCEEDS(cublasDestroy_v2)
SUCCEEDS(cublasSetMathMode)
SUCCEEDS(cublasSetPointerMode_v2)
SUCCEEDS(cublasSetStream_v2)
SUCCEEDS(cublasSetWorkspace_v2)

/** What describes a product or a matrix to cuBLASLt: its caller reads back what it has set. */
struct description {
  int count;
  struct { int id; size_t size; char value[64]; } attributes[48];
};

static int describe(struct description **d) { *d = calloc(1, sizeof **d); return 0; }

static int set(struct description *d, int id, const void *value, size_t size) {
  int i = 0;
  while (i < d->count && d->attributes[i].id != id) i++;
  if (i == d->count) d->count++;
  d->attributes[i].id = id;
  d->attributes[i].size = size;
  memcpy(d->attributes[i].value, value, size < 64 ? size : 64);
  return 0;
}

static int get(const struct description *d, int id, void *value, size_t size, size_t *written) {
  memset(value, 0, size);
  for (int i = 0; i < d->count; i++) {
    const size_t own = d->attributes[i].size;
    if (d->attributes[i].id == id) memcpy(value, d->attributes[i].value, size < own ? size : own);
  }
  if (written) *written = size;
  return 0;
}

typedef struct description *D;
CALL(cublasLtCreate, void **h) { return handle(h); }
CALL(cublasLtMatmulDescCreate, D *d, int compute, int scale) {
  describe(d);
  set(*d, 0, &compute, 4);
  return set(*d, 1, &scale, 4);
}
CALL(cublasLtMatrixLayoutCreate, D *d, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  const int64_t one = 1, zero = 0;
  const int order = 0;
  describe(d);
  set(*d, 0, &type, 4);
  set(*d, 1, &order, 4);
  set(*d, 2, &rows, 8);
  set(*d, 3, &columns, 8);
  set(*d, 4, &leading, 8);
  set(*d, 5, &one, 8);
  return set(*d, 6, &zero, 8);
}
CALL(cublasLtMatmulPreferenceCreate, D *d) { return describe(d); }
CALL(cublasLtMatmulDescDestroy, D d) { return release(d); }
CALL(cublasLtMatrixLayoutDestroy, D d) { return release(d); }
CALL(cublasLtMatmulPreferenceDestroy, D d) { return release(d); }
CALL(cublasLtMatmulDescSetAttribute, D d, int id, const void *v, size_t n) { return set(d, id, v, n); }
CALL(cublasLtMatrixLayoutSetAttribute, D d, int id, const void *v, size_t n) { return set(d, id, v, n); }
CALL(cublasLtMatmulPreferenceSetAttribute, D d, int id, const void *v, size_t n) { return set(d, id, v, n); }
CALL(cublasLtMatmulDescGetAttribute, D d, int id, void *v, size_t n, size_t *w) { return get(d, id, v, n, w); }
CALL(cublasLtMatrixLayoutGetAttribute, D d, int id, void *v, size_t n, size_t *w) { return get(d, id, v, n, w); }
/** One way to multiply: cublasLtMatmulHeuristicResult_t is an algorithm of 64 bytes, and what it takes. */
CALL(cublasLtMatmulAlgoGetHeuristic, void *h, D o, D a, D b, D c, D d, D p, int asked, void *ways, int *found) {
  memset(ways, 0, 96);
  *found = 1;
  return 0;
}
CALL(cublasLtMatmul, void) { return product(); }
SUCCEEDS(cublasLtDestroy)

// asked for a version or a handle, and not called in a step

CALL(cudnnCreate, void **h) { return handle(h); }
GIVES(size_t) cudnnGetVersion(void) { return 92800; }
CALL(cudnnGetProperty, int which, int *v) { *v = which == 0 ? 9 : which == 1 ? 28 : 0; return 0; }
GIVES(const char *) cudnnGetErrorString(int e) { return "stand-in"; }
CALL(cudnnGetStream, void *h, void **s) { *s = NULL; return 0; }
SUCCEEDS(cudnnDestroy)
SUCCEEDS(cudnnSetStream)
SUCCEEDS(cudnnOpsVersionCheck)
SUCCEEDS(cudnnAdvVersionCheck)
SUCCEEDS(cudnnGraphVersionCheck)
CALL(cusolverDnCreate, void **h) { return handle(h); }
CALL(cusparseCreate, void **h) { return handle(h); }
SUCCEEDS(cusolverDnDestroy)
SUCCEEDS(cusolverDnSetStream)
SUCCEEDS(cusparseDestroy)
SUCCEEDS(cusparseSetStream)
