#include "timeline.h"

#include <stdlib.h>
#include <string.h>

enum { RECORDS_FIRST = 256, RECORDS_MAX = 1 << 16 };

void ps_timeline_open(ps_timing *t, ps_timeline *timeline) {
  t->timeline = timeline;
  if (timeline != NULL) {
    ps_timeline_mark(t, t->slot);
  }
}

void ps_timeline_close(ps_timeline *timeline) {
  free(timeline->marks);
  free(timeline->moved);
  free(timeline->sleeps);
  memset(timeline, 0, sizeof *timeline);
}

static uint64_t larger(uint64_t capacity) { return capacity != 0u ? 2u * capacity : RECORDS_FIRST; }

/* Returns a null pointer, and leaves the old block, when there is no room. */
static void *grown(void *records, uint64_t capacity, size_t record_bytes) {
  return capacity > RECORDS_MAX ? NULL : realloc(records, capacity * record_bytes);
}

static int has_room_for_mark(const ps_timing *t, ps_timeline *timeline) {
  const uint64_t capacity = larger(timeline->mark_capacity);
  ps_mark *marks;
  ps_moved *moved;
  if (timeline->mark_count < timeline->mark_capacity) {
    return 1;
  }
  marks = grown(timeline->marks, capacity, sizeof *marks);
  timeline->marks = marks != NULL ? marks : timeline->marks;
  moved = grown(timeline->moved, capacity, t->memory_count * sizeof *moved);
  timeline->moved = moved != NULL ? moved : timeline->moved;
  if (marks == NULL || moved == NULL) {
    return 0;
  }
  timeline->mark_capacity = capacity;
  return 1;
}

static int has_room_for_sleep(ps_timeline *timeline) {
  const uint64_t capacity = larger(timeline->sleep_capacity);
  ps_sleep *sleeps;
  if (timeline->sleep_count < timeline->sleep_capacity) {
    return 1;
  }
  sleeps = grown(timeline->sleeps, capacity, sizeof *sleeps);
  if (sleeps == NULL) {
    return 0;
  }
  timeline->sleeps = sleeps;
  timeline->sleep_capacity = capacity;
  return 1;
}

void ps_timeline_mark(ps_timing *t, uint64_t slot) {
  ps_timeline *timeline = t->timeline;
  ps_mark *mark;
  ps_moved *moved;
  uint64_t memory;
  if (timeline->is_cut || !has_room_for_mark(t, timeline)) {
    timeline->is_cut = 1;
    return;
  }
  moved = &timeline->moved[timeline->mark_count * t->memory_count];
  for (memory = 0; memory < t->memory_count; ++memory) {
    moved[memory].bytes_read = t->memories[memory].bytes_read;
    moved[memory].bytes_written = t->memories[memory].bytes_written;
    moved[memory].bytes_fetched = t->memories[memory].bytes_fetched;
  }
  mark = &timeline->marks[timeline->mark_count++];
  mark->slot = slot;
  mark->at = t->now;
  mark->left = t->counters[t->slot];
}

void ps_timeline_slept(ps_timing *t, uint64_t ticks) {
  ps_timeline *timeline = t->timeline;
  const uint64_t from = t->now - ticks;
  if (timeline->is_cut || ticks == 0u) {
    return;
  }
  if (timeline->sleep_count != 0u && timeline->sleeps[timeline->sleep_count - 1u].end == from) {
    timeline->sleeps[timeline->sleep_count - 1u].end = t->now;
    return;
  }
  if (!has_room_for_sleep(timeline)) {
    timeline->is_cut = 1;
    return;
  }
  timeline->sleeps[timeline->sleep_count].begin = from;
  timeline->sleeps[timeline->sleep_count].end = t->now;
  ++timeline->sleep_count;
}
