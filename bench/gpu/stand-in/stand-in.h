// A GPU that computes nothing, to count what a step asks of one: CUDA's libraries as far as TensorFlow 2.21 calls them. Every
// call succeeds, memory is the host's, copies and fills are done, kernels are not. TensorFlow registers it as an H100, places
// programs on it, and XLA compiles for it with the real ptxas.
//
// BCOD_STAND_IN names a file of 64 numbers (uint64, in the order of `enum counter`) that is mapped and counted in.
// What is computed means nothing. Whatever the host reads of what was computed is 1 as int32, and so finite as a float, a
// branch that is taken as a condition, and the second of several.
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL(name, ...) __attribute__((visibility("default"))) int name(__VA_ARGS__)
/** A function that has nothing to give back. */
#define SUCCEEDS(name) CALL(name) { return 0; }
/** A function that returns something else than a status. */
#define GIVES(type) __attribute__((visibility("default"))) type

// bench/gpu/counters.mjs has the same names
enum counter {
  KERNELS, PRODUCTS, FILLS, COPIES_ON_DEVICE, BYTES_ON_DEVICE,
  // the same that a launched graph holds
  GRAPH_LAUNCHES, GRAPH_KERNELS, GRAPH_PRODUCTS, GRAPH_FILLS, GRAPH_COPIES,
  COPIES_TO_DEVICE, BYTES_TO_DEVICE, COPIES_FROM_DEVICE, BYTES_FROM_DEVICE,
  // the host waits until all that was given out is done
  WAITS,
  // machine code that is loaded: what XLA has compiled, and TensorFlow's own kernels
  MODULES,
  COUNTERS = 64
};

/** A graph of launches, and what is recorded into it. */
struct graph { unsigned long kernels, products, fills, copies; };
/** The graph that this thread's stream is captured into, instead of running. */
extern __thread struct graph *captured;

/** What stands for the device's only context. */
extern int context;

void count(enum counter which, unsigned long by);
int kernel(void);
int product(void);
int fill(void);
int waits(void);
/** Of something that is never looked into. */
int handle(void **h);

/** Bytes of the device's memory. */
#define MEMORY (64ull << 30)
int allocate(void **p, size_t size);
int release(void *p);

// writes into structures of CUDA's headers, by the offsets of their fields
void put_int(void *structure, size_t at, int value);
void put_size(void *structure, size_t at, size_t value);
