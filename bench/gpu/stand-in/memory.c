// Memory, which is the host's, and copies.
#include "stand-in.h"

#include <pthread.h>

static int free_memory(size_t *free, size_t *total) { *free = MEMORY - (1ull << 30); *total = MEMORY; return 0; }

int allocate(void **p, size_t n) { return posix_memalign(p, 4096, n ? n : 1) ? 2 : 0; }
int release(void *p) { free(p); return 0; }

/** Where conditions stand that came from the host: when it reads them back, as it does in loops, they are as they were. */
static int is_condition(size_t n) { return n == 1; }
static const void *sent[4096];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/** Remembers an address, or forgets it. @return whether it was known */
static int known(const void *p, int remember) {
  int found = 0, free = -1;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < 4096; i++) {
    if (sent[i] == p) { found = 1; if (!remember) sent[i] = NULL; }
    if (sent[i] == NULL && free < 0) free = i;
  }
  if (remember && !found && free >= 0) sent[free] = p;
  pthread_mutex_unlock(&lock);
  return found;
}

static int to_device(void *d, const void *s, size_t n) {
  count(COPIES_TO_DEVICE, 1);
  count(BYTES_TO_DEVICE, n);
  memcpy(d, s, n);
  if (is_condition(n)) known(d, 1);
  return 0;
}

static int from_device(void *d, const void *s, size_t n) {
  count(COPIES_FROM_DEVICE, 1);
  count(BYTES_FROM_DEVICE, n);
  if (is_condition(n) && known(s, 0)) memcpy(d, s, n);
  else {
    memset(d, 0, n);
    for (size_t i = 0; i < n; i += 4) ((char *)d)[i] = 1;
  }
  return 0;
}

static int on_device(void *d, const void *s, size_t n) {
  if (captured) captured->copies++;
  else {
    count(COPIES_ON_DEVICE, 1);
    count(BYTES_ON_DEVICE, n);
  }
  memcpy(d, s, n);
  return 0;
}

static int words(uint32_t *d, unsigned v, size_t n) { for (size_t i = 0; i < n; i++) d[i] = v; return fill(); }

CALL(cuMemGetInfo_v2, size_t *free, size_t *total) { return free_memory(free, total); }
CALL(cuMemAlloc_v2, void **p, size_t n) { return allocate(p, n); }
CALL(cuMemAllocManaged, void **p, size_t n, unsigned flags) { return allocate(p, n); }
CALL(cuMemHostAlloc, void **p, size_t n, unsigned flags) { return allocate(p, n); }
CALL(cuMemAllocFromPoolAsync, void **p, size_t n, void *pool, void *s) { return allocate(p, n); }
CALL(cuMemFree_v2, void *p) { return release(p); }
CALL(cuMemFreeHost, void *p) { return release(p); }
CALL(cuMemFreeAsync, void *p, void *s) { return release(p); }
CALL(cuMemGetAddressRange_v2, uint64_t *base, size_t *size, uint64_t p) {
  if (base) *base = p;
  if (size) *size = 1 << 20;
  return 0;
}
CALL(cuMemPoolCreate, void **pool, void *options) { return handle(pool); }
CALL(cuMemPoolGetAttribute, void *pool, int which, uint64_t *v) { *v = 0; return 0; }
CALL(cuPointerGetAttribute, void *v, int which, uint64_t p) {
  if (which == 1) *(void **)v = &context;
  else if (which == 2) *(unsigned *)v = 2; // memory of the device
  else if (which == 3 || which == 4) *(uint64_t *)v = p;
  else *(int *)v = 0;
  return 0;
}
CALL(cuMemcpyHtoD_v2, void *d, const void *s, size_t n) { return to_device(d, s, n); }
CALL(cuMemcpyHtoDAsync_v2, void *d, const void *s, size_t n, void *t) { return to_device(d, s, n); }
CALL(cuMemcpyDtoH_v2, void *d, const void *s, size_t n) { return from_device(d, s, n); }
CALL(cuMemcpyDtoHAsync_v2, void *d, const void *s, size_t n, void *t) { return from_device(d, s, n); }
CALL(cuMemcpyDtoDAsync_v2, void *d, const void *s, size_t n, void *t) { return on_device(d, s, n); }
CALL(cuMemsetD8_v2, void *d, unsigned char v, size_t n) { memset(d, v, n); return fill(); }
CALL(cuMemsetD8Async, void *d, unsigned char v, size_t n, void *t) { memset(d, v, n); return fill(); }
CALL(cuMemsetD32_v2, uint32_t *d, unsigned v, size_t n) { return words(d, v, n); }
CALL(cuMemsetD32Async, uint32_t *d, unsigned v, size_t n, void *t) { return words(d, v, n); }
SUCCEEDS(cuMemHostRegister_v2)
SUCCEEDS(cuMemHostUnregister)
SUCCEEDS(cuMemPoolDestroy)
SUCCEEDS(cuMemPoolSetAccess)
SUCCEEDS(cuMemPoolSetAttribute)

CALL(cudaMalloc, void **p, size_t n) { return allocate(p, n); }
CALL(cudaFree, void *p) { return release(p); }
CALL(cudaMemGetInfo, size_t *free, size_t *total) { return free_memory(free, total); }
CALL(cudaMemcpyAsync, void *d, const void *s, size_t n, int kind, void *t) {
  return kind == 1 ? to_device(d, s, n) : kind == 2 ? from_device(d, s, n) : on_device(d, s, n);
}
CALL(cudaMemsetAsync, void *d, int v, size_t n, void *t) { memset(d, v, n); return fill(); }
