/* What data accesses cost: memories, data cache, store buffer. */
#include "sanitizer.h"

enum { STREAM_LINES = 3 }; /* consecutive written lines after which misses stop allocating */

/* Returns the cost of opening the row of an address, and leaves it open. */
int64_t ps_open_row(ps_memory *memory, uint32_t address) {
  uint32_t row;
  uint32_t *open;
  if (memory->row_shift == 0u) {
    return 0;
  }
  row = address >> memory->row_shift;
  open = &memory->open_rows[(address >> memory->bank_shift) % memory->bank_count];
  if (*open == row + 1u) {
    return 0;
  }
  *open = row + 1u;
  return memory->row_miss;
}

/* Keeps the port busy for a cost from the moment that it is free; returns when it is done. */
static uint64_t occupy(ps_memory *memory, uint64_t now, int64_t cost) {
  const uint64_t start = now > memory->free_at ? now : memory->free_at;
  memory->free_at = start + (uint64_t)cost;
  return memory->free_at;
}

uint64_t ps_read_line(ps_memory *memory, uint32_t line, uint32_t line_bytes, uint64_t now) {
  const int is_next = memory->continues_at == (uint64_t)line && memory->sequential_read != 0;
  const int64_t cost = is_next ? memory->sequential_read : memory->line_read;
  memory->continues_at = (uint64_t)line + line_bytes;
  return occupy(memory, now, cost + ps_open_row(memory, line)) - now;
}

/* Puts a store that is done at a time into the buffer; returns the wait for room. */
static uint64_t buffer_store(ps_timing *t, uint64_t done_at) {
  uint64_t *entry = &t->stores[t->next_store];
  const uint64_t here = ps_here(t);
  const uint64_t stall = *entry > here ? *entry - here : 0;
  t->last_store = done_at;
  *entry = done_at;
  t->next_store = t->next_store + 1u == t->store_entries ? 0u : t->next_store + 1u;
  return stall;
}

/* Stores leave the buffer in order. */
static uint64_t begin_of_store(const ps_timing *t) {
  const uint64_t here = ps_here(t);
  return here > t->last_store ? here : t->last_store;
}

static uint64_t buffer_write(ps_timing *t, ps_memory *memory, uint32_t address, int64_t cost) {
  const uint64_t begin = begin_of_store(t);
  return buffer_store(t, occupy(memory, begin, cost + ps_open_row(memory, address)));
}

static ps_memory *home_of(ps_timing *t, uint32_t address) {
  return &t->memories[t->zones[t->zone_of_page[address >> PS_PAGE_SHIFT]].memory];
}

void ps_write_line(ps_timing *t, uint32_t line) {
  ps_memory *home = home_of(t, line);
  home->bytes_written += 1u << t->data_cache.line_shift;
  ps_stall(t, PS_CAUSE_STORE_BUFFER, buffer_write(t, home, line, home->line_write));
}

static ps_cause cause_of(const ps_memory *memory) {
  return memory->is_external ? PS_CAUSE_EXTERNAL : PS_CAUSE_INTERNAL;
}

/* Fills a line and returns its tag; a dirty victim is written back after it, while the core goes
 * on. */
static uint32_t *fill_line(ps_timing *t, ps_cache *cache, ps_memory *memory, uint32_t address,
                           uint64_t *stall) {
  const uint32_t line = address >> cache->line_shift << cache->line_shift;
  uint32_t *tag = ps_cache_victim(cache, address);
  const uint32_t victim = *tag;
  *stall = ps_read_line(memory, line, 1u << cache->line_shift, ps_here(t));
  memory->bytes_read += 1u << cache->line_shift;
  if ((victim & PS_LINE_DIRTY) != 0u) {
    const uint32_t written = victim & ~(uint32_t)PS_LINE_FLAGS;
    ps_memory *home = home_of(t, written);
    home->bytes_written += 1u << cache->line_shift;
    (void)occupy(home, ps_here(t) + *stall, home->line_write + ps_open_row(home, written));
  }
  *tag = line | PS_LINE_VALID;
  if (t->sanitizer != 0 && cache == &t->data_cache) {
    if ((victim & PS_LINE_VALID) != 0u) {
      ps_sanitize_gone(t, victim & ~(uint32_t)PS_LINE_FLAGS);
    }
    ps_sanitize_fill(t, line);
  }
  return tag;
}

/* Waits for a line that a preload has asked for. */
static void await_fill(ps_timing *t, const ps_memory *memory, uint32_t line) {
  uint32_t index;
  for (index = 0; index < t->fill_count; ++index) {
    if (t->fills[index].line == line && t->fills[index].ready_at > ps_here(t)) {
      ps_stall(t, cause_of(memory), t->fills[index].ready_at - ps_here(t));
    }
  }
}

static void read_in_line(ps_timing *t, ps_cache *cache, ps_memory *memory, uint32_t address) {
  uint64_t stall;
  if (ps_cache_find(cache, address) == 0) {
    (void)fill_line(t, cache, memory, address, &stall);
    t->store_run_bytes = 0; /* stores between which lines are read are no stream */
    ps_stall(t, cause_of(memory), stall);
  } else if (t->filled_at > ps_here(t)) {
    await_fill(t, memory, address >> cache->line_shift);
  }
}

/* A hint starts to fill a line, and retires: Arm DDI0489 5.9, fills do not block. It waits where all
 * buffers are in use, and is ignored where nothing is cached. */
void ps_fill_ahead(ps_timing *t, uint32_t address) {
  const ps_zone *zone = &t->zones[t->zone_of_page[address >> PS_PAGE_SHIFT]];
  ps_memory *memory = &t->memories[zone->memory];
  ps_cache *cache = &t->data_cache;
  ps_fill *fill = &t->fills[0];
  uint64_t duration;
  uint32_t index;
  if (t->sanitizer != 0 && zone->memory != 0u) {
    ps_sanitize_access(t, address, 1, 0); /* what others may write must not get into the cache */
  }
  if (memory->is_tightly_coupled || !zone->is_cached || !cache->is_enabled ||
      ps_cache_find(cache, address) != 0) {
    return;
  }
  for (index = 1; index < t->fill_count; ++index) {
    fill = t->fills[index].ready_at < fill->ready_at ? &t->fills[index] : fill;
  }
  if (fill->ready_at > ps_here(t)) {
    ps_stall(t, cause_of(memory), fill->ready_at - ps_here(t));
  }
  ps_catch_up(t, ps_here(t));
  (void)fill_line(t, cache, memory, address, &duration);
  fill->line = address >> cache->line_shift;
  fill->ready_at = ps_here(t) + duration;
  t->filled_at = fill->ready_at > t->filled_at ? fill->ready_at : t->filled_at;
}

/* How much of an access is in the line of its first byte. */
static uint32_t room_in_line(const ps_cache *cache, uint32_t address, uint32_t size_bytes) {
  const uint32_t line_bytes = 1u << cache->line_shift;
  const uint32_t room = line_bytes - (address & (line_bytes - 1u));
  return size_bytes < room ? size_bytes : room;
}

static void read_cached(ps_timing *t, ps_cache *cache, ps_memory *memory, uint32_t address,
                        uint32_t size_bytes) {
  read_in_line(t, cache, memory, address);
  if (room_in_line(cache, address, size_bytes) < size_bytes) {
    read_in_line(t, cache, memory, address + size_bytes - 1u);
  }
}

static int is_unaligned(uint32_t address, uint32_t size_bytes) {
  return (address & (size_bytes - 1u) & 3u) != 0u;
}

/* Into what answers at once; parts of words need a read first. */
static uint64_t write_fast(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  int64_t cost = size_bytes < 4u ? t->subword_store : PS_TICKS_PER_CYCLE;
  if (t->store_entries > 1u && is_unaligned(address, size_bytes)) {
    cost = t->unaligned_store;
  }
  return buffer_store(t, begin_of_store(t) + (uint64_t)cost);
}

/* Buffers with several entries join what goes on in a word that still waits there. A device takes
 * each access by itself, but the core does not wait for it either. */
static uint64_t write_through(ps_timing *t, const ps_zone *zone, uint32_t address,
                              uint32_t size_bytes) {
  ps_memory *memory = &t->memories[zone->memory];
  const int is_joined = t->store_entries > 1u && !zone->is_device && t->store_run_bytes != 0u &&
                        (address & 3u) != 0u && t->last_store > ps_here(t);
  memory->bytes_written += size_bytes;
  if (memory->word_write == 0 || is_joined) {
    return 0;
  }
  if (size_bytes > 4u || is_unaligned(address, size_bytes)) {
    return buffer_write(t, memory, address, memory->word_write * 2);
  }
  return buffer_write(t, memory, address, memory->word_write);
}

/* A store never waits for its line: it waits in the store buffer. */
static uint64_t write_in_line(ps_timing *t, const ps_zone *zone, uint32_t address,
                             uint32_t size_bytes) {
  ps_memory *memory = &t->memories[zone->memory];
  ps_cache *cache = &t->data_cache;
  uint32_t *tag = ps_cache_find(cache, address);
  const int is_streaming = t->store_run_bytes >= (uint32_t)STREAM_LINES << cache->line_shift;
  uint64_t fill;
  if (tag != 0 && zone->is_written_back) {
    *tag |= PS_LINE_DIRTY;
    return write_fast(t, address, size_bytes);
  }
  if (tag == 0 && zone->is_allocated_by_writes && !is_streaming) {
    *fill_line(t, cache, memory, address, &fill) |= PS_LINE_DIRTY;
    return buffer_store(t, ps_here(t) + fill);
  }
  return write_through(t, zone, address, size_bytes);
}

static uint64_t write_cached(ps_timing *t, const ps_zone *zone, uint32_t address,
                             uint32_t size_bytes) {
  const uint32_t room = room_in_line(&t->data_cache, address, size_bytes);
  const uint64_t stall = write_in_line(t, zone, address, room);
  return room == size_bytes
             ? stall
             : stall + write_in_line(t, zone, address + room, size_bytes - room);
}

static uint64_t read_word(ps_memory *memory, uint32_t address, uint32_t size_bytes, uint64_t now) {
  const int64_t cost = memory->continues_at == (uint64_t)address ? memory->sequential_word
                                                                 : memory->word_read;
  memory->continues_at = (uint64_t)address + size_bytes;
  return occupy(memory, now, cost + ps_open_row(memory, address)) - now;
}

/* What lies in two words is read in two accesses. */
static uint64_t read_words(ps_memory *memory, uint32_t address, uint32_t size_bytes,
                           uint64_t now) {
  const uint32_t room = 4u - (address & 3u);
  uint64_t stall;
  if (size_bytes <= room) {
    return read_word(memory, address, size_bytes, now);
  }
  stall = read_word(memory, address, room, now);
  return stall + read_word(memory, address + room, size_bytes - room, now + stall);
}

static void read_uncached(ps_timing *t, const ps_zone *zone, uint32_t address,
                          uint32_t size_bytes) {
  ps_memory *memory = &t->memories[zone->memory];
  uint64_t stall = 0;
  memory->bytes_read += size_bytes;
  if (t->sanitizer != 0) {
    ps_sanitize_uncached_read(t, address, size_bytes);
  }
  if (zone->is_accelerated && t->data_accelerator.line_count != 0u) {
    stall = ps_accelerated(t, &t->data_accelerator, memory, address, ps_here(t));
  } else if (memory->word_read != 0) {
    stall = read_words(memory, address, size_bytes, ps_here(t));
  }
  if (stall != 0) {
    ps_stall(t, cause_of(memory), stall);
  }
}

static void note_store(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  t->store_run_bytes = address == t->store_run_end ? t->store_run_bytes + size_bytes : 0u;
  t->store_run_end = address + size_bytes;
}

static void write_data(ps_timing *t, const ps_zone *zone, uint32_t address, uint32_t size_bytes) {
  ps_memory *memory = &t->memories[zone->memory];
  uint64_t stall;
  note_store(t, address, size_bytes);
  if (memory->is_tightly_coupled) {
    memory->bytes_written += size_bytes;
    stall = write_fast(t, address, size_bytes);
  } else if (zone->is_cached && t->data_cache.is_enabled) {
    stall = write_cached(t, zone, address, size_bytes);
    if (t->sanitizer != 0 && zone->is_written_back) {
      ps_sanitize_write_back(t, address, size_bytes);
    }
  } else {
    stall = write_through(t, zone, address, size_bytes);
  }
  if (stall != 0) {
    ps_stall(t, PS_CAUSE_STORE_BUFFER, stall);
  }
}

void ps_data_access(ps_timing *t, const ps_zone *zone, uint32_t address, uint32_t size_bytes,
                    int is_write) {
  ps_memory *memory = &t->memories[zone->memory];
  if (is_write) {
    write_data(t, zone, address, size_bytes);
  } else if (memory->is_tightly_coupled) {
    memory->bytes_read += size_bytes;
  } else if (zone->is_cached && t->data_cache.is_enabled) {
    read_cached(t, &t->data_cache, memory, address, size_bytes);
  } else if (zone->is_cached && t->has_unified_cache && t->instruction_cache.is_enabled) {
    read_cached(t, &t->instruction_cache, memory, address, size_bytes);
  } else {
    read_uncached(t, zone, address, size_bytes);
  }
}
