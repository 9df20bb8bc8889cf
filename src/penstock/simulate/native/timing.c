#include "timing.h"

#include <stdlib.h>
#include <string.h>

#include "dma.h"
#include "sanitizer.h"
#include "timeline.h"

enum { EDGES_SEARCHED = 3 };
enum { PREDICTED_TAKEN = 2, COUNTER_MAX = 3, COUNTER_START = 2 };

static int open_accelerator(ps_accelerator *a) {
  if (a->line_count == 0u) {
    return 1;
  }
  a->present = calloc(PS_ACCELERATOR_SLOTS, sizeof *a->present);
  a->order = calloc(a->line_count, sizeof *a->order);
  return a->present != NULL && a->order != NULL;
}

int ps_timing_open(ps_timing *t) {
  t->zone_of_page = calloc(PS_PAGE_COUNT, 1);
  t->previous = 0;
  t->next_event = UINT64_MAX;
  t->block_count = 1; /* block 0 is none */
  t->block_capacity = 1024;
  t->blocks = calloc(t->block_capacity, sizeof *t->blocks);
  return t->zone_of_page != NULL && t->blocks != NULL && ps_cache_open(&t->instruction_cache) &&
         ps_cache_open(&t->data_cache) && open_accelerator(&t->instruction_accelerator) &&
         open_accelerator(&t->data_accelerator);
}

void ps_timing_close(ps_timing *t) {
  uint64_t block;
  for (block = 0; block < t->block_count && t->blocks != NULL; ++block) {
    free(t->blocks[block].edges);
  }
  free(t->blocks);
  free(t->zone_of_page);
  free(t->instruction_accelerator.present);
  free(t->instruction_accelerator.order);
  free(t->data_accelerator.present);
  free(t->data_accelerator.order);
  ps_cache_close(&t->instruction_cache);
  ps_cache_close(&t->data_cache);
  memset(t, 0, sizeof *t);
}

static void forget_lines(ps_accelerator *a) {
  if (a->line_count != 0u) {
    memset(a->present, 0, PS_ACCELERATOR_SLOTS * sizeof *a->present);
    memset(a->order, 0, a->line_count * sizeof *a->order);
  }
  a->next = 0;
  a->prefetched_line = 0;
}

void ps_timing_chill(ps_timing *t) {
  uint64_t index;
  for (index = 1; index < t->block_count; ++index) {
    t->blocks[index].predictor =
        t->blocks[index].branch == PS_BRANCH_CONDITIONAL ? COUNTER_START : 0u;
  }
  for (index = 0; index < t->memory_count; ++index) {
    memset(t->memories[index].open_rows, 0, sizeof t->memories[index].open_rows);
    t->memories[index].continues_at = 0;
    t->memories[index].free_at = t->now;
  }
  ps_cache_invalidate_all(&t->instruction_cache);
  ps_cache_invalidate_all(&t->data_cache);
  if (t->sanitizer != NULL) {
    ps_sanitize_chill(t);
  }
  t->instruction_cache.random = 1;
  t->data_cache.random = 1;
  forget_lines(&t->instruction_accelerator);
  forget_lines(&t->data_accelerator);
  memset(t->stores, 0, sizeof t->stores);
  t->ahead = 0;
  t->last_store = 0;
  t->store_run_bytes = 0;
  t->previous = 0;
  memset(t->fills, 0, sizeof t->fills);
  t->filled_at = 0;
  t->hint_count = 0;
  t->next_hint = 0;
}

void ps_stall(ps_timing *t, ps_cause cause, uint64_t ticks) {
  t->now += ticks;
  t->counters[t->slot].ticks += ticks;
  t->counters[t->slot].stalls[cause] += ticks;
}

uint32_t ps_timing_describe(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  ps_block *block;
  if (t->block_count == t->block_capacity) {
    ps_block *blocks = realloc(t->blocks, 2u * t->block_capacity * sizeof *blocks);
    if (blocks == NULL) {
      return 0;
    }
    t->blocks = blocks;
    t->block_capacity *= 2u;
  }
  block = &t->blocks[t->block_count];
  memset(block, 0, sizeof *block);
  block->address = address;
  block->size_bytes = size_bytes;
  if (t->describe_block(address, size_bytes, block) != 0) {
    t->has_failed = 1;
    return 0;
  }
  block->predictor = block->branch == PS_BRANCH_CONDITIONAL ? COUNTER_START : 0u;
  return (uint32_t)t->block_count++;
}

/* Edges are kept with the block that they lead to; those found late move forward. */
static ps_edge *find_edge(ps_timing *t, uint32_t number) {
  ps_block *block = &t->blocks[number];
  ps_edge *edges = block->edges;
  uint32_t index;
  for (index = 0; index < block->edge_count; ++index) {
    if (edges[index].previous == t->previous) {
      if (index > EDGES_SEARCHED) {
        const ps_edge found = edges[index];
        edges[index] = edges[index - 1u];
        edges[index - 1u] = found;
        return &edges[index - 1u];
      }
      return &edges[index];
    }
  }
  if (block->edge_count == block->edge_capacity) {
    const uint32_t capacity = block->edge_capacity != 0u ? 2u * block->edge_capacity : 2u;
    edges = realloc(block->edges, capacity * sizeof *edges);
    if (edges == NULL) {
      return NULL;
    }
    block->edges = edges;
    block->edge_capacity = capacity;
  }
  memset(&block->edges[block->edge_count], 0, sizeof *block->edges);
  block->edges[block->edge_count].previous = t->previous;
  if (t->describe_edge(t->previous, number, &block->edges[block->edge_count]) != 0) {
    return NULL;
  }
  return &block->edges[block->edge_count++];
}

/* Learns how the previous block ended; a wrong prediction costs what that block says. */
static void predict(ps_timing *t, const ps_block *block) {
  ps_block *from = &t->blocks[t->previous];
  int is_wrong = 0;
  if (from->branch == PS_BRANCH_CONDITIONAL) {
    const int is_taken = block->address != from->address + from->size_bytes;
    is_wrong = is_taken != (from->predictor >= PREDICTED_TAKEN);
    if (is_taken) {
      from->predictor += from->predictor < COUNTER_MAX;
    } else {
      from->predictor -= from->predictor > 0u;
    }
  } else if (from->branch == PS_BRANCH_INDIRECT) {
    is_wrong = from->predictor != block->address;
    from->predictor = block->address;
  }
  if (is_wrong) {
    ps_stall(t, PS_CAUSE_BRANCH, (uint64_t)from->mispredict_cycles << PS_TICK_SHIFT);
  }
}

void ps_timing_preload(ps_timing *t, uint32_t address, uint32_t before) {
  if (t->fill_count != 0u && t->hint_count < PS_HINTS_MAX) {
    t->hints[t->hint_count].address = address;
    t->hints[t->hint_count++].before = before;
  }
}

/* Hints that come before an access of the block. */
static void take_hints(ps_timing *t, uint32_t index) {
  while (t->next_hint < t->hint_count && t->hints[t->next_hint].before <= index) {
    ps_fill_ahead(t, t->hints[t->next_hint++].address);
  }
}

static void end_hints(ps_timing *t) {
  t->ahead = 0;
  take_hints(t, UINT32_MAX);
  t->hint_count = 0;
  t->next_hint = 0;
}

void ps_timing_block(ps_timing *t, uint32_t number, uint64_t slot) {
  const ps_block *block = &t->blocks[number];
  const ps_edge *edge = find_edge(t, number);
  ps_counters *counters = &t->counters[slot];
  uint64_t ticks;
  if (t->hint_count != 0u) {
    end_hints(t);
  }
  if (t->timeline != NULL && t->slot != slot) {
    ps_timeline_mark(t, slot);
  }
  t->slot = slot;
  if (t->next_event <= t->now) {
    ps_dma_advance(t);
  }
  if (edge == NULL) {
    t->has_failed = 1;
    return;
  }
  ticks = edge->ticks;
  t->now += ticks;
  counters->ticks += ticks;
  counters->stalls[PS_CAUSE_LOAD_USE] += edge->load_use_ticks;
  t->pair_mask = edge->pair_mask;
  t->step = edge->step_ticks;
  t->ahead = ticks;
  t->access_index = 0;
  if (t->predicts_branches) {
    predict(t, block);
  }
  if (t->previous != number || !t->instruction_cache.is_enabled) {
    ps_fetch(t, block, ticks);
  }
  t->previous = number;
}

static void check_pair(ps_timing *t, uint32_t address, uint32_t memory) {
  int conflicts = 0;
  if (t->pair_rule == PS_PAIR_OTHER_BANK) {
    conflicts = ((address ^ t->last_address) & 4u) == 0u;
  } else if (t->pair_rule == PS_PAIR_SAME_MEMORY) {
    conflicts = memory != t->last_memory;
  }
  if (conflicts) {
    ps_stall(t, PS_CAUSE_ALIGNMENT, PS_TICKS_PER_CYCLE);
  }
}

void ps_timing_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                      uint32_t value) {
  const ps_zone *zone = &t->zones[t->zone_of_page[address >> PS_PAGE_SHIFT]];
  const uint32_t index = t->access_index++;
  t->ahead -= t->step < t->ahead ? t->step : t->ahead;
  if (t->hint_count != 0u) {
    take_hints(t, index);
  }
  if (index < 64u && ((t->pair_mask >> index) & 1u) != 0u) {
    check_pair(t, address, zone->memory);
  }
  t->last_address = address;
  t->last_memory = zone->memory;
  if (zone->memory == 0u) {
    ps_system_access(t, address, size_bytes, is_write, value);
    return;
  }
  if (t->next_event != UINT64_MAX) {
    ps_dma_contend(t, zone);
  }
  if (t->sanitizer != NULL) {
    ps_sanitize_access(t, address, size_bytes, is_write);
  }
  if ((address & (size_bytes - 1u) & 3u) != 0u) {
    const int is_buffered = is_write && t->store_entries > 1u;
    const int64_t penalty = is_buffered ? 0 : is_write ? t->unaligned_store : t->unaligned_load;
    if (zone->is_device) {
      t->on_unaligned(address, size_bytes, is_write != 0, t->blocks[t->previous].address);
    }
    if (penalty != 0) {
      ps_stall(t, PS_CAUSE_ALIGNMENT, (uint64_t)penalty);
    }
  }
  ps_data_access(t, zone, address, size_bytes, is_write);
}
