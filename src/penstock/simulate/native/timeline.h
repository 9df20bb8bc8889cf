/* When operators run and the core sleeps, for people who look at a run. Mirrored in
 * simulate/timeline_records.py. */
#ifndef PS_TIMELINE_H
#define PS_TIMELINE_H

#include "timing.h"

typedef struct ps_moved {
  uint64_t bytes_read;
  uint64_t bytes_written;
  uint64_t bytes_fetched;
} ps_moved;

/* The slot of the counters changes, or a record ends. */
typedef struct ps_mark {
  uint64_t slot; /* from now on */
  uint64_t at;
  ps_counters left; /* what the slot until now has counted in all */
} ps_mark;

typedef struct ps_sleep {
  uint64_t begin;
  uint64_t end;
} ps_sleep;

typedef struct ps_timeline {
  ps_mark *marks;
  ps_moved *moved; /* of each memory in all, by mark */
  uint64_t mark_count;
  uint64_t mark_capacity;
  ps_sleep *sleeps;
  uint64_t sleep_count;
  uint64_t sleep_capacity;
  uint32_t is_cut; /* there was no room for all */
  uint32_t reserved;
} ps_timeline;

/* Records into an empty timeline from now on; a null pointer for no more. */
void ps_timeline_open(ps_timing *t, ps_timeline *timeline);
void ps_timeline_close(ps_timeline *timeline);

void ps_timeline_mark(ps_timing *t, uint64_t slot);

/* The core has just slept so long; what follows directly on an earlier sleep belongs to it. */
void ps_timeline_slept(ps_timing *t, uint64_t ticks);

#endif
