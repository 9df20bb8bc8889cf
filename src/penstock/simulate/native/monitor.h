/* What the callbacks of monitor.c keep. Mirrored in simulate/monitor_records.py. */
#ifndef PS_MONITOR_H
#define PS_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "stream.h"

typedef struct function {
  uint32_t start;
  uint32_t end;
  uint32_t operator_slot; /* 0 for none, or 1 + the operator's index */
  uint32_t reserved;
  uint64_t instructions;
} function;

typedef struct address_range {
  uint32_t start;
  uint32_t end;
} address_range;

typedef struct block {
  uint32_t address;
  uint32_t size_bytes;
  uint32_t instructions; /* 0 marks a free slot */
  uint32_t function;
  uint32_t enters_operator; /* operator slot when this is a function's first block */
  uint32_t needs_alignment; /* instructions that require it */
  uint64_t count;
  uint64_t timed; /* its number there */
} block;

typedef struct monitor {
  int (*start)(void *engine, uint64_t address, uint64_t end, uint64_t timeout, size_t count);
  int (*stop)(void *engine);
  int (*read_memory)(void *engine, uint64_t address, void *bytes, uint64_t size);
  int (*map_memory)(void *engine, uint64_t address, uint64_t size, uint32_t protection);
  int (*read_register)(void *engine, int number, void *value);
  function *functions; /* sorted by start; the last one catches what no other contains */
  uint64_t function_count;
  const address_range *peripherals;
  uint64_t peripheral_count;
  uint64_t *operator_instructions; /* by operator slot */
  volatile uint64_t limit;         /* lowered to 0 by the controlling thread to stop */
  volatile uint64_t instructions;
  volatile uint64_t operator_slot;
  uint64_t guard_start; /* [guard_start, guard_end): memory below the stack */
  uint64_t guard_end;
  uint64_t return_address;
  uint64_t last_block;
  uint64_t reason;
  uint64_t access;
  uint64_t address;
  uint64_t size_bytes;
  uint64_t pc;
  ps_stream *clock; /* a null pointer when only instructions count */
  block *blocks;
  uint64_t block_capacity; /* a power of two */
  uint64_t block_count;
} monitor;

#endif
