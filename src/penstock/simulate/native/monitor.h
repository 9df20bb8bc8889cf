/* What the callbacks of monitor.c keep. Mirrored in simulate/monitor_records.py. */
#ifndef PS_MONITOR_H
#define PS_MONITOR_H

#include <stddef.h>
#include <stdint.h>

#include "addresses.h"
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

/* Who finds the addresses that a block accesses. */
typedef enum block_state {
  BLOCK_NEW = 0,
  BLOCK_WATCHED = 1, /* the emulator, at each access */
  BLOCK_COMPUTED = 2 /* `steps`, before it runs; what the emulator reports is not looked at */
} block_state;

typedef struct block {
  uint32_t address;
  uint32_t size_bytes;
  uint32_t instructions; /* 0 marks a free slot */
  uint32_t function;
  uint32_t enters_operator; /* operator slot when this is a function's first block */
  uint32_t needs_alignment; /* instructions that require it */
  uint64_t count;
  uint64_t timed; /* its number there */
  uint32_t state;
  uint32_t step_count;
  ps_address_step *steps;
  uint32_t preload_step_count;
  uint32_t reserved;
  ps_address_step *preload_steps; /* whoever finds the accesses: the emulator reports no hints */
} block;

typedef struct monitor {
  int (*start)(void *engine, uint64_t address, uint64_t end, uint64_t timeout, size_t count);
  int (*stop)(void *engine);
  int (*read_memory)(void *engine, uint64_t address, void *bytes, uint64_t size);
  int (*map_memory)(void *engine, uint64_t address, uint64_t size, uint32_t protection);
  int (*read_register)(void *engine, int number, void *value);
  int (*control)(void *engine, int control, ...);
  int (*add_hook)(void *engine, size_t *hook, int kind, void *callback, void *state,
                  uint64_t begin, uint64_t end, ...);
  int (*delete_hook)(void *engine, size_t hook);
  /* Writes at most PS_STEPS_MAX steps and returns their number; -1 for what has to be watched. */
  int (*derive)(uint32_t address, uint32_t size_bytes, ps_address_step *steps);
  /* Likewise for hints; nothing is returned for those whose address does not follow. */
  int (*derive_preloads)(uint32_t address, uint32_t size_bytes, ps_address_step *steps);
  const uint32_t *registers; /* r0 to r14; a null pointer makes all blocks watched, without hints */
  ps_address_space space;
  size_t access_hook; /* of on_access */
  function *functions; /* sorted by start; the last one catches what no other contains */
  uint64_t function_count;
  const address_range *peripherals;
  uint64_t peripheral_count;
  uint64_t *operator_instructions; /* by operator slot */
  volatile uint64_t limit;         /* lowered to 0 by the controlling thread to stop */
  volatile uint64_t instructions;
  volatile uint64_t operator_slot;
  uint64_t return_address;
  uint64_t last_block;
  uint64_t reason;
  uint64_t access;
  uint64_t address;
  uint64_t size_bytes;
  uint64_t pc;
  uint8_t *code; /* a bit for each granule of addresses: whether a block has it */
  uint64_t changing; /* 1 + address of a block that has to be translated anew; 0 for none */
  uint32_t may_compute; /* whether further blocks may get computed */
  uint32_t is_computed; /* the block that runs */
  ps_stream *clock; /* a null pointer when only instructions count */
  block *blocks;
  uint64_t block_capacity; /* a power of two */
  uint64_t block_count;
} monitor;

/* Called for a block that is new, or has changed. Returns 0 when there is no memory left. */
int ps_watch_hints(monitor *m, block *entry);

/* Called before a block runs. Returns how many preloads and accesses were computed, or -1 when the
 * core has to stop at once, for ps_watch_change. */
int ps_watch_block(monitor *m, block *entry, uint64_t *events);
void ps_watch_change(monitor *m, void *engine);

/* Called for each access of a block that is watched. */
void ps_monitor_on_access(void *engine, int access, uint64_t address, int size, int64_t value,
                          monitor *m);

block *ps_monitor_find(const monitor *m, uint32_t address);

#endif
