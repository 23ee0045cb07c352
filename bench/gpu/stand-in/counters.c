#include "stand-in.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_ulong own_counters[COUNTERS];
static atomic_ulong *counters = own_counters;
__thread struct graph *captured;

__attribute__((constructor)) static void map_counters(void) {
  const char *path = getenv("BCOD_STAND_IN");
  const int file = path == NULL ? -1 : open(path, O_RDWR);
  if (file < 0) return;
  void *mapped = mmap(NULL, sizeof own_counters, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) counters = mapped;
  close(file);
}

void count(enum counter which, unsigned long by) { atomic_fetch_add(&counters[which], by); }
int kernel(void) { if (captured) captured->kernels++; else count(KERNELS, 1); return 0; }
int product(void) { if (captured) captured->products++; else count(PRODUCTS, 1); return 0; }
int fill(void) { if (captured) captured->fills++; else count(FILLS, 1); return 0; }
int waits(void) { count(WAITS, 1); return 0; }

static atomic_long handles = 0x1000;
int handle(void **h) { *h = (void *)atomic_fetch_add(&handles, 16); return 0; }

void put_int(void *structure, size_t at, int value) { memcpy((char *)structure + at, &value, sizeof value); }
void put_size(void *structure, size_t at, size_t value) { memcpy((char *)structure + at, &value, sizeof value); }
