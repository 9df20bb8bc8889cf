/* What fetching instructions costs: instruction cache, flash accelerators, bare memories. */
#include "timing.h"

/* Returns the stall of reading a line through a flash accelerator, which holds the latest lines
 * and, while the core works on one, reads the next. */
uint64_t ps_accelerated(ps_timing *t, ps_accelerator *a, ps_memory *memory, uint32_t address,
                        uint64_t now) {
  const uint32_t line = address >> a->line_shift;
  uint32_t *slot = &a->present[line % PS_ACCELERATOR_SLOTS];
  uint64_t ready;
  if (*slot == line + 1u) {
    return 0;
  }
  if (a->prefetches && a->prefetched_line == (uint64_t)line + 1u &&
      a->prefetch_ready < now + (uint64_t)memory->fetch) {
    ready = a->prefetch_ready > now ? a->prefetch_ready : now;
  } else {
    ready = ps_read_beside(t, memory, now, memory->fetch);
  }
  if (a->order[a->next] != 0u) {
    uint32_t *oldest = &a->present[(a->order[a->next] - 1u) % PS_ACCELERATOR_SLOTS];
    *oldest = *oldest == a->order[a->next] ? 0u : *oldest;
  }
  ++a->line_reads;
  *slot = line + 1u;
  a->order[a->next] = line + 1u;
  a->next = a->next + 1u == a->line_count ? 0u : a->next + 1u;
  a->prefetched_line = (uint64_t)line + 2u;
  a->prefetch_ready =
      a->prefetches ? ps_read_beside(t, memory, ready, memory->fetch) : a->prefetch_ready;
  return ready - now;
}

static void fetch_cached(ps_timing *t, const ps_block *block, ps_memory *memory) {
  ps_cache *cache = &t->instruction_cache;
  const uint32_t line_bytes = 1u << cache->line_shift;
  uint32_t line = block->address >> cache->line_shift << cache->line_shift;
  for (; line < block->address + block->size_bytes; line += line_bytes) {
    if (ps_cache_find(cache, line) == 0) {
      memory->bytes_fetched += line_bytes;
      ps_catch_up(t, ps_here(t));
      ps_stall(t, PS_CAUSE_FETCH, ps_read_line(memory, line, line_bytes, ps_here(t)));
      *ps_cache_victim(cache, line) = line | PS_LINE_VALID;
    }
  }
}

/* The block's ticks have passed already: its lines were asked for while they did. */
static void fetch_accelerated(ps_timing *t, const ps_block *block, ps_memory *memory,
                              uint64_t length) {
  ps_accelerator *a = &t->instruction_accelerator;
  const uint32_t first = block->address >> a->line_shift;
  const uint32_t last = (block->address + block->size_bytes - 1u) >> a->line_shift;
  const uint64_t begin = t->now - length;
  const uint64_t step = length / (last - first + 1u);
  const uint64_t reads = a->line_reads;
  uint64_t stall = 0;
  uint32_t line;
  for (line = first; line <= last; ++line) {
    const uint64_t now = begin + step * (line - first) + stall;
    stall += ps_accelerated(t, a, memory, line << a->line_shift, now);
  }
  memory->bytes_fetched += (uint64_t)(a->line_reads - reads) << a->line_shift;
  ps_stall(t, PS_CAUSE_FETCH, stall);
}

/* Past all caches, in pieces of what the core fetches at once; what goes on behind the block before
 * has been fetched with its end. */
static void fetch_bare(ps_timing *t, const ps_block *block, ps_memory *memory) {
  const ps_block *from = &t->blocks[t->previous];
  const uint32_t mask = t->fetch_bytes - 1u;
  const int goes_on = from->address + from->size_bytes == block->address;
  const uint32_t start = (goes_on ? block->address + mask : block->address) & ~mask;
  const uint32_t end = (block->address + block->size_bytes + mask) & ~mask;
  const uint64_t begin = ps_here(t);
  uint64_t now = begin;
  uint32_t address;
  for (address = start; address < end; address += t->fetch_bytes) {
    now = ps_read_beside(t, memory, now, memory->fetch);
  }
  memory->bytes_fetched += end - start;
  ps_stall(t, PS_CAUSE_FETCH, now - begin);
}

void ps_fetch(ps_timing *t, const ps_block *block, uint64_t ticks) {
  const ps_zone *zone = &t->zones[t->zone_of_page[block->address >> PS_PAGE_SHIFT]];
  ps_memory *memory = &t->memories[zone->memory];
  if (memory->is_tightly_coupled) {
    return;
  }
  if (zone->is_cached && t->instruction_cache.is_enabled) {
    fetch_cached(t, block, memory);
  } else if (zone->is_accelerated && t->instruction_accelerator.line_count != 0u) {
    fetch_accelerated(t, block, memory, ticks);
  } else if (memory->fetch != 0 || t->next_event != UINT64_MAX) {
    fetch_bare(t, block, memory);
  }
}
