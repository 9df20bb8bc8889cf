/* When things happen on a virtual board: the costs of blocks come from outside, those of fetches
 * and accesses from here. Mirrored in simulate/timing_records.py. */
#ifndef PS_TIMING_H
#define PS_TIMING_H

#include <stdint.h>

#include "cache.h"

/* Times are in ticks of 1/256 core cycle: memories have clocks of their own. */
enum { PS_TICK_SHIFT = 8, PS_TICKS_PER_CYCLE = 1 << PS_TICK_SHIFT };

enum { PS_PAGE_SHIFT = 12, PS_PAGE_COUNT = 1 << (32 - PS_PAGE_SHIFT) };
enum { PS_ACCELERATOR_SLOTS = 4096 }; /* of the table of lines that an accelerator holds */
enum { PS_ZONES_MAX = 64, PS_BANKS_MAX = 8, PS_STORES_MAX = 8, PS_FILLS_MAX = 4 };
enum { PS_HINTS_MAX = 16 }; /* of a block, as PS_PRELOADS_MAX of addresses.h */

/* Why a core waits. */
typedef enum ps_cause {
  PS_CAUSE_LOAD_USE = 0,     /* for the register that a load fills */
  PS_CAUSE_BRANCH = 1,       /* for the target of a branch that was predicted wrongly */
  PS_CAUSE_FETCH = 2,        /* for instructions */
  PS_CAUSE_ALIGNMENT = 3,    /* unaligned accesses, and two loads that hit one bank */
  PS_CAUSE_INTERNAL = 4,     /* for data from internal memories, caches missed or absent */
  PS_CAUSE_EXTERNAL = 5,     /* for data from external memories */
  PS_CAUSE_STORE_BUFFER = 6, /* for room in the store buffer */
  PS_CAUSE_DMA_WAIT = 7,     /* asleep until a transfer is complete */
  PS_CAUSE_COUNT = 8
} ps_cause;

/* What pairs of loads need. */
typedef enum ps_pair_rule {
  PS_PAIR_ALWAYS = 0,
  PS_PAIR_OTHER_BANK = 1, /* an even and an odd word */
  PS_PAIR_SAME_MEMORY = 2
} ps_pair_rule;

typedef enum ps_branch {
  PS_BRANCH_NONE = 0,
  PS_BRANCH_CONDITIONAL = 1,
  PS_BRANCH_DIRECT = 2,
  PS_BRANCH_INDIRECT = 3,
  PS_BRANCH_RETURN = 4
} ps_branch;

/* One memory; costs in ticks. */
typedef struct ps_memory {
  int64_t word_read;       /* stall of an uncached read */
  int64_t word_write;      /* of the bus, for an uncached or written-through write */
  int64_t line_read;       /* stall of a line fill */
  int64_t line_write;      /* of the bus, for a line's write-back */
  int64_t fetch;           /* stall of an uncached fetch of core.fetch_bytes, or an accelerator's miss */
  int64_t sequential_read; /* a line fill that continues the previous one */
  int64_t sequential_word; /* an uncached read that continues the previous one */
  int64_t row_miss;        /* further cost of opening a row */
  uint32_t row_shift;      /* log2 of a row's bytes; 0 for memories without rows */
  uint32_t bank_shift;     /* log2 of a bank's: its number is above that of the row */
  uint32_t bank_count;
  uint32_t is_tightly_coupled;
  uint32_t is_external;
  uint32_t reserved;
  uint64_t free_at; /* when its port is idle again */
  uint64_t continues_at;
  uint32_t open_rows[PS_BANKS_MAX];
  uint64_t bytes_read;
  uint64_t bytes_written;
  uint64_t bytes_fetched;
} ps_memory;

/* A memory with attributes: what a page of addresses is. Memory 0 is none: registers. */
typedef struct ps_zone {
  uint32_t memory;
  uint32_t is_cached;
  uint32_t is_written_back;
  uint32_t is_allocated_by_writes;
  uint32_t is_device;
  uint32_t is_accelerated; /* read through the accelerators of the flash memory */
} ps_zone;

typedef struct ps_edge {
  uint32_t previous;
  uint32_t ticks;
  uint32_t load_use_ticks;
  uint32_t step_ticks; /* from one access to the next */
  uint64_t pair_mask; /* bit k: access k is issued together with access k - 1 */
} ps_edge;

/* A basic block as the emulator cuts it. */
typedef struct ps_block {
  uint32_t address;
  uint32_t size_bytes;
  uint32_t branch;
  uint32_t mispredict_cycles;
  uint32_t predictor; /* two-bit counter, or target of an indirect branch */
  uint32_t edge_count;
  uint32_t edge_capacity;
  uint32_t reserved;
  ps_edge *edges;
} ps_block;

/* A line that a preload has asked for. */
typedef struct ps_fill {
  uint64_t line;
  uint64_t ready_at;
} ps_fill;

/* A preload of the block that runs. */
typedef struct ps_hint {
  uint32_t address;
  uint32_t before; /* index of the access that comes behind it */
} ps_hint;

typedef struct ps_accelerator {
  uint32_t line_shift;
  uint32_t line_count;
  uint32_t prefetches;
  uint32_t next;
  uint32_t *present; /* by hash of the line: the line's address + 1 */
  uint32_t *order;   /* ring of the lines held */
  uint64_t prefetched_line;
  uint64_t prefetch_ready;
  uint64_t line_reads;
} ps_accelerator;

typedef struct ps_counters {
  uint64_t ticks;
  uint64_t stalls[PS_CAUSE_COUNT];
} ps_counters;

typedef struct ps_timing {
  /* Ask what a new block or edge is; nonzero means that it failed. */
  int (*describe_block)(uint32_t address, uint32_t size_bytes, ps_block *block);
  int (*describe_edge)(uint32_t previous, uint32_t block, ps_edge *edge);
  uint8_t *zone_of_page; /* PS_PAGE_COUNT entries */
  ps_zone zones[PS_ZONES_MAX];
  ps_memory *memories;
  uint64_t memory_count;
  ps_counters *counters; /* by operator slot */
  uint8_t *system_page;  /* 0xE000E000 */
  uint8_t *trace_page;   /* 0xE0001000 */
  void (*on_attributes)(uint32_t offset, uint32_t value); /* the MPU was written */
  /* A device was accessed as only memory can be, by a block of code. */
  void (*on_unaligned)(uint32_t address, uint32_t size_bytes, uint32_t is_write, uint32_t block);
  ps_cache instruction_cache;
  ps_cache data_cache;
  ps_accelerator instruction_accelerator;
  ps_accelerator data_accelerator;
  /* of the core, in ticks or as they are */
  int64_t unaligned_load;
  int64_t unaligned_store;
  int64_t subword_store;
  uint32_t pair_rule;
  uint32_t predicts_branches;
  uint32_t fetch_bytes;
  uint32_t store_entries;
  uint32_t has_unified_cache; /* the instruction cache holds constants too */
  uint32_t has_core_caches;   /* CCR turns the instruction cache on */
  uint32_t fill_count;        /* lines that preloads may be filling; 0: they do nothing */
  volatile uint32_t has_failed;
  /* state */
  uint64_t now;
  uint64_t slot;
  ps_block *blocks;
  uint64_t block_count;
  uint64_t block_capacity;
  uint32_t previous;
  uint32_t last_address;
  uint32_t last_memory;
  uint32_t access_index;
  uint64_t pair_mask;
  uint64_t step;  /* ticks from one of the block's accesses to the next */
  uint64_t ahead; /* ticks of the block that are still to come: `now` is its end */
  uint64_t stores[PS_STORES_MAX]; /* when each will have drained */
  uint64_t last_store;
  uint32_t next_store;
  uint32_t store_run_end; /* where consecutive stores would go on */
  uint32_t store_run_bytes;
  ps_fill fills[PS_FILLS_MAX];
  uint64_t filled_at; /* when the last of them is ready */
  ps_hint hints[PS_HINTS_MAX];
  uint32_t hint_count;
  uint32_t next_hint;
  uint32_t cycle_count; /* DWT_CYCCNT, like the following as of counted_at */
  uint32_t systick_value;
  uint32_t systick_flag; /* it has reached 0 and nobody has looked */
  uint64_t counted_at;   /* core cycles */
  uint64_t next_event; /* of a DMA controller; UINT64_MAX for none */
  struct ps_dma *dma;
  struct ps_sanitizer *sanitizer; /* a null pointer for none */
  struct ps_timeline *timeline;   /* likewise */
} ps_timing;

/* Prepares what has no memory yet; 0 when there is none left. */
int ps_timing_open(ps_timing *t);
void ps_timing_close(ps_timing *t);

/* Forgets all that earlier runs left in caches and predictors; what is enabled stays enabled. */
void ps_timing_chill(ps_timing *t);

/* Returns the number of a block, new or known. 0 means that it could not be described. */
uint32_t ps_timing_describe(ps_timing *t, uint32_t address, uint32_t size_bytes);

void ps_timing_block(ps_timing *t, uint32_t block, uint64_t slot);
void ps_timing_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                      uint32_t value);

/* Notes a preload of the block that runs: it takes place before one of its accesses. */
void ps_timing_preload(ps_timing *t, uint32_t address, uint32_t before);

/* Parts of the above. */

/* Returns the time of the access that is being timed. */
static inline uint64_t ps_here(const ps_timing *t) { return t->now - t->ahead; }

/* Transfers go on up to a time; of dma.c. */
void ps_dma_advance_to(ps_timing *t, uint64_t until);

static inline void ps_catch_up(ps_timing *t, uint64_t until) {
  if (t->next_event <= until) {
    ps_dma_advance_to(t, until);
  }
}

/* Returns when a read is done that no cache is before: it waits for the burst of a transfer that is
 * in progress, and keeps the next one waiting. */
uint64_t ps_read_beside(ps_timing *t, ps_memory *memory, uint64_t now, int64_t cost);

void ps_stall(ps_timing *t, ps_cause cause, uint64_t ticks);
int64_t ps_open_row(ps_memory *memory, uint32_t address);
uint64_t ps_read_line(ps_memory *memory, uint32_t line, uint32_t line_bytes, uint64_t now);
void ps_write_line(ps_timing *t, uint32_t line);
void ps_data_access(ps_timing *t, const ps_zone *zone, uint32_t address, uint32_t size_bytes,
                    int is_write);
/* A preload at this time. */
void ps_fill_ahead(ps_timing *t, uint32_t address);
void ps_fetch(ps_timing *t, const ps_block *block, uint64_t ticks);
uint64_t ps_accelerated(ps_timing *t, ps_accelerator *a, ps_memory *memory, uint32_t address,
                        uint64_t now);
void ps_system_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                      uint32_t value);
int ps_is_counter(uint32_t address); /* or what starts and stops one */
void ps_counter_access(ps_timing *t, uint32_t address, int is_write, uint32_t value);

#endif
