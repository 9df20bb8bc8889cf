/* What polling.c keeps of the register that is read. Mirrored in simulate/monitor_records.py. */
#ifndef PS_POLLING_H
#define PS_POLLING_H

#include <stdint.h>

typedef struct polling {
  int (*read_memory)(void *engine, uint64_t address, void *bytes, uint64_t size);
  int (*write_memory)(void *engine, uint64_t address, const void *bytes, uint64_t size);
  uint64_t address;
  uint64_t size_bytes;
  uint64_t count;    /* reads in a row */
  uint32_t original; /* what the register held before it changed */
  uint32_t random;
  uint64_t invented_count;
} polling;

#endif
