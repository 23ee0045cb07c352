// The device: what an H100 answers, and compute capability 9.0.
#include "stand-in.h"

static const char NAME[] = "NVIDIA H100 80GB HBM3";
int context;
static __thread void *current;

/** By CUdevice_attribute and cudaDeviceAttr, which have the same numbers. */
static int attribute(int which) {
  switch (which) {
    case 1: case 2: case 3: return 1024; // threads of a block, and its dimensions
    case 4: return 64;
    case 5: return 2147483647; // blocks of a grid
    case 6: case 7: return 65535;
    case 8: return 49152; // shared memory of a block
    case 9: case 12: case 82: return 65536; // constant memory, registers of a block and of a processor
    case 10: return 32; // threads of a warp
    case 11: return 2147483647;
    case 13: return 1980000; // kHz
    case 14: return 512;
    case 16: return 132; // multiprocessors
    case 15: case 19: case 31: case 32: case 41: case 78: case 83: case 88: case 89: case 95: case 115: return 1;
    case 33: return 5;
    case 36: return 2619000; // kHz of the memory
    case 37: return 5120; // bits of its bus
    case 38: return 52428800; // second-level cache
    case 39: return 2048; // threads of a multiprocessor
    case 40: return 3;
    case 75: return 9; // compute capability
    case 81: return 233472; // shared memory of a multiprocessor
    case 97: return 232448; // of a block that asks for it
    case 106: return 32;
    case 111: return 1024;
    default: return 0;
  }
}

static int priorities(int *least, int *greatest) { if (least) *least = 0; if (greatest) *greatest = -5; return 0; }

CALL(cuDriverGetVersion, int *v) { *v = 12090; return 0; }
CALL(cuDeviceGetCount, int *n) { *n = 1; return 0; }
CALL(cuDeviceGet, int *d, int ordinal) { *d = ordinal; return 0; }
CALL(cuDeviceGetName, char *name, int size, int d) { snprintf(name, size, "%s", NAME); return 0; }
CALL(cuDeviceTotalMem_v2, size_t *n, int d) { *n = MEMORY; return 0; }
CALL(cuDeviceGetAttribute, int *v, int which, int d) { *v = attribute(which); return 0; }
CALL(cuDeviceGetPCIBusId, char *id, int size, int d) { snprintf(id, size, "0000:00:05.0"); return 0; }
CALL(cuDevicePrimaryCtxGetState, int d, unsigned *flags, int *active) { *flags = 0; *active = 1; return 0; }
CALL(cuDevicePrimaryCtxRetain, void **c, int d) { *c = &context; return 0; }
CALL(cuDeviceCanAccessPeer, int *can, int a, int b) { *can = 0; return 0; }
CALL(cuDeviceGetDefaultMemPool, void **pool, int d) { return handle(pool); }
CALL(cuCtxGetCurrent, void **c) { *c = current; return 0; }
CALL(cuCtxSetCurrent, void *c) { current = c; return 0; }
CALL(cuCtxPushCurrent_v2, void *c) { current = c; return 0; }
CALL(cuCtxPopCurrent_v2, void **c) { if (c) *c = current; return 0; }
CALL(cuCtxGetDevice, int *d) { *d = 0; return 0; }
CALL(cuCtxGetStreamPriorityRange, int *least, int *greatest) { return priorities(least, greatest); }
CALL(cuCtxSynchronize, void) { return waits(); }
CALL(cuGetErrorName, int e, const char **s) { *s = "STAND_IN"; return 0; }
CALL(cuGetErrorString, int e, const char **s) { *s = "stand-in"; return 0; }
SUCCEEDS(cuInit)
SUCCEEDS(cuDevicePrimaryCtxRelease_v2)
SUCCEEDS(cuDevicePrimaryCtxSetFlags_v2)
SUCCEEDS(cuDeviceGraphMemTrim)
SUCCEEDS(nvmlInit_v2)
SUCCEEDS(nvmlShutdown)
SUCCEEDS(nvmlDeviceGetHandleByPciBusId_v2)
SUCCEEDS(nvmlDeviceGetCurrPcieLinkGeneration)
SUCCEEDS(nvmlDeviceGetCurrPcieLinkWidth)
SUCCEEDS(nvmlDeviceGetGpuFabricInfoV)
SUCCEEDS(nvmlDeviceGetNvLinkCapability)
SUCCEEDS(nvmlDeviceGetNvLinkState)
GIVES(const char *) nvmlErrorString(int e) { return "stand-in"; }

CALL(cudaDriverGetVersion, int *v) { *v = 12090; return 0; }
CALL(cudaRuntimeGetVersion, int *v) { *v = 12090; return 0; }
CALL(cudaGetDevice, int *d) { *d = 0; return 0; }
CALL(cudaGetDeviceCount, int *n) { *n = 1; return 0; }
CALL(cudaDeviceGetAttribute, int *v, int which, int d) { *v = attribute(which); return 0; }
CALL(cudaDeviceGetStreamPriorityRange, int *least, int *greatest) { return priorities(least, greatest); }
CALL(cudaHostGetFlags, unsigned *flags, void *p) { *flags = 0; return 0; }
CALL(cudaDeviceSynchronize, void) { return waits(); }
GIVES(const char *) cudaGetErrorString(int e) { return "stand-in"; }
GIVES(const char *) cudaGetErrorName(int e) { return "STAND_IN"; }
SUCCEEDS(cudaSetDevice)
SUCCEEDS(cudaGetLastError)
SUCCEEDS(cudaPeekAtLastError)
SUCCEEDS(cudaDeviceSetSharedMemConfig)

/** cudaDeviceProp of CUDA 12.9, by the offsets of its fields. */
CALL(cudaGetDeviceProperties_v2, void *p, int d) {
  memset(p, 0, 1032);
  strcpy(p, NAME);
  put_size(p, 288, MEMORY);
  put_size(p, 296, 49152);
  put_int(p, 304, 65536);
  put_int(p, 308, 32);
  put_int(p, 320, 1024);
  put_int(p, 360, 9);
  put_int(p, 388, 132);
  put_int(p, 616, 52428800);
  put_int(p, 624, 2048);
  put_size(p, 640, 233472);
  put_size(p, 696, 232448);
  return 0;
}
