/* Lets the clock run on a second processor: what the core does is queued, and timed behind it.
 *
 * The clock never changes what the core computes, except where it reads a register: there, and
 * while a DMA transfer is under way, both go in step. The result is the same either way. */
#ifndef PS_STREAM_H
#define PS_STREAM_H

#include <pthread.h>

#include "addresses.h"
#include "timing.h"

enum { PS_BATCH_EVENTS = 8192, PS_BATCH_COUNT = 16 };

typedef struct ps_stream {
  ps_timing *timing;
  uint64_t *filling; /* the batch that the core adds to */
  uint32_t filled;
  uint32_t in_step; /* nothing is queued */
  uint64_t *events; /* PS_BATCH_COUNT batches */
  uint32_t sizes[PS_BATCH_COUNT];
  uint64_t sent; /* batches */
  uint64_t done;
  uint32_t is_closing;
  uint32_t has_thread;
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
} ps_stream;

/* Returns a null pointer when there is no memory or no thread. */
ps_stream *ps_stream_open(ps_timing *timing);
void ps_stream_close(ps_stream *s);

/* Hands over a full batch, and waits for room for the next. */
void ps_stream_flush(ps_stream *s);
/* Waits until all that was queued is timed. */
void ps_stream_drain(ps_stream *s);

/* Times what ps_stream_block adds at once, and forgets it. */
void ps_stream_in_step(ps_stream *s, int count);

/* As the functions of timing.h. */
uint32_t ps_stream_describe(ps_stream *s, uint32_t address, uint32_t size_bytes);
void ps_stream_access_register(ps_stream *s, uint32_t address, uint32_t size_bytes, int is_write,
                               uint32_t value);

/* An access has the top bit set, then whether it writes, its size and its address; a preload has no
 * size, but the index of the access that it comes before; a block has its counter's slot and its
 * number. */
static inline uint64_t ps_access_event(uint32_t address, uint32_t size_bytes, int is_write) {
  return 1ull << 63 | (uint64_t)(is_write != 0) << 62 | (uint64_t)size_bytes << 32 | address;
}

static inline uint64_t ps_preload_event(uint32_t address, uint32_t before) {
  return 1ull << 63 | (uint64_t)before << 40 | address;
}

static inline void ps_time_access(ps_timing *t, uint64_t event) {
  const uint32_t size_bytes = (uint32_t)(event >> 32) & 0xFFu;
  if (size_bytes == 0u) {
    ps_timing_preload(t, (uint32_t)event, (uint32_t)(event >> 40) & 0xFFu);
  } else {
    ps_timing_access(t, (uint32_t)event, size_bytes, (event >> 62 & 1u) != 0u, 0);
  }
}

static inline void ps_stream_push(ps_stream *s, uint64_t event) {
  s->filling[s->filled++] = event;
  if (s->filled == PS_BATCH_EVENTS) {
    ps_stream_flush(s);
  }
}

/* Returns where at most PS_PRELOADS_MAX preloads and PS_STEPS_MAX accesses of the next block may be
 * written. */
static inline uint64_t *ps_stream_room(ps_stream *s) {
  if (s->filled + 1u + PS_PRELOADS_MAX + PS_STEPS_MAX > PS_BATCH_EVENTS) {
    ps_stream_flush(s);
  }
  return s->filling + s->filled + 1u;
}

/* Adds a block, and so many preloads and accesses that are in that room. */
static inline void ps_stream_block(ps_stream *s, uint32_t number, uint64_t slot, int count) {
  s->filling[s->filled] = slot << 32 | number;
  if (s->in_step) {
    ps_stream_in_step(s, count);
  } else {
    s->filled += 1u + (uint32_t)count;
    if (s->filled == PS_BATCH_EVENTS) {
      ps_stream_flush(s);
    }
  }
}

/* Peripherals, and the registers of the core: ARMv7-M architecture reference manual B3.1. */
static inline int ps_is_register(uint32_t address) {
  return address >> 29 == 2u || address >= 0xE0000000u;
}

static inline void ps_stream_access(ps_stream *s, uint32_t address, uint32_t size_bytes,
                                    int is_write, uint32_t value) {
  if (ps_is_register(address)) {
    ps_stream_access_register(s, address, size_bytes, is_write, value);
  } else if (s->in_step) {
    ps_timing_access(s->timing, address, size_bytes, is_write, value);
    s->in_step = s->timing->next_event != UINT64_MAX;
  } else {
    ps_stream_push(s, ps_access_event(address, size_bytes, is_write));
  }
}

#endif
