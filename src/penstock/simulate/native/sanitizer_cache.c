/* Sanitizers of the data cache: which bytes memory may not have yet, has lost, or has newer.
 *
 * What a write-back cache holds is up to the hardware: a line may be written back, and a stream of
 * stores may pass it by, but a program must not count on that. So what the core wrote counts as
 * dirty until the program cleans it, whatever the modelled cache has done. */
#include <stdlib.h>
#include <string.h>

#include "sanitizer_parts.h"

enum { PAGE_MASK = (1 << PS_PAGE_SHIFT) - 1, ALIASES_MAX = 32 };

struct ps_line_note {
  uint64_t written_at;
  uint64_t lost_at;
  uint32_t writer; /* slot */
  uint32_t loser;
  uint32_t address; /* of the line, as it was written: an alias is another line of the cache */
  uint32_t clean_count; /* when it was written */
};

/* Writable memory that is seen at several addresses: an entry for each way to go. */
typedef struct alias {
  uint32_t base;
  uint32_t size_bytes;
  uint32_t other; /* where the byte at `base` is seen, too */
} alias;

typedef struct ps_coherence {
  ps_line_note **notes_of_page; /* of each page's first line; a null pointer for none */
  ps_line_note *notes;
  uint32_t *cleaned_at; /* by tag of the data cache: clean_count then */
  uint32_t clean_count; /* cleans by set and way */
  uint32_t alias_count;
  alias aliases[ALIASES_MAX];
} ps_coherence;

static uint32_t line_bytes(const ps_timing *t) { return 1u << t->data_cache.line_shift; }

static uint32_t line_of(const ps_timing *t, uint32_t address) {
  return address & ~(line_bytes(t) - 1u);
}

static void see_at(ps_coherence *k, const ps_window *window, const ps_window *other) {
  if (k->alias_count < ALIASES_MAX) {
    alias *entry = &k->aliases[k->alias_count++];
    entry->base = window->base;
    entry->size_bytes = window->size_bytes;
    entry->other = other->base;
  }
}

static void note_window(ps_coherence *k, const ps_window *window, ps_line_note *notes,
                        uint32_t line_shift) {
  uint32_t offset;
  for (offset = 0; offset < window->size_bytes; offset += 1u << PS_PAGE_SHIFT) {
    k->notes_of_page[(window->base + offset) >> PS_PAGE_SHIFT] = notes + (offset >> line_shift);
  }
}

/* Windows of one memory share their notes, as they share their shadow. */
static void share_notes(ps_coherence *k, const ps_dma *d, uint32_t line_shift) {
  uint64_t index;
  uint64_t earlier;
  ps_line_note *next = k->notes;
  for (index = 0; index < d->window_count; ++index) {
    const ps_window *window = &d->windows[index];
    ps_line_note *notes = next;
    for (earlier = 0; window->is_writable && earlier < index; ++earlier) {
      const ps_window *other = &d->windows[earlier];
      if (other->shadow == window->shadow) {
        notes = k->notes_of_page[other->base >> PS_PAGE_SHIFT];
        see_at(k, window, other);
        see_at(k, other, window);
      }
    }
    if (window->is_writable) {
      note_window(k, window, notes, line_shift);
      next += notes == next ? window->size_bytes >> line_shift : 0u;
    }
  }
}

static uint64_t count_lines(const ps_dma *d, uint32_t line_shift) {
  uint64_t count = 0;
  uint64_t index;
  for (index = 0; index < d->window_count; ++index) {
    const ps_window *window = &d->windows[index];
    count += window->is_writable ? window->size_bytes >> line_shift : 0u;
  }
  return count;
}

/* Without a data cache there is nothing to note. */
int ps_coherence_open(ps_sanitizer *s, const ps_cache *cache, const ps_dma *d) {
  ps_coherence *k = calloc(1, sizeof *k);
  s->coherence = k;
  if (k == NULL) {
    return 0;
  }
  k->notes_of_page = calloc(PS_PAGE_COUNT, sizeof *k->notes_of_page);
  k->notes = calloc(cache->set_count != 0u ? count_lines(d, cache->line_shift) : 1u,
                    sizeof *k->notes);
  k->cleaned_at = calloc((size_t)cache->set_count * cache->way_count + 1u, sizeof *k->cleaned_at);
  if (k->notes_of_page == NULL || k->notes == NULL || k->cleaned_at == NULL) {
    return 0;
  }
  if (cache->set_count != 0u) {
    share_notes(k, d, cache->line_shift);
  }
  return 1;
}

void ps_coherence_close(ps_sanitizer *s) {
  if (s->coherence != NULL) {
    free(s->coherence->notes_of_page);
    free(s->coherence->notes);
    free(s->coherence->cleaned_at);
    free(s->coherence);
    s->coherence = NULL;
  }
}

static ps_line_note *note_at(const ps_timing *t, uint32_t address) {
  ps_line_note *page = t->sanitizer->coherence->notes_of_page[address >> PS_PAGE_SHIFT];
  return page == NULL ? NULL : page + ((address & (uint32_t)PAGE_MASK) >> t->data_cache.line_shift);
}

/* A line is clean once each way in which it may have been has been cleaned after it was written. */
static int is_cleaned(const ps_timing *t, const ps_line_note *note) {
  const ps_cache *cache = &t->data_cache;
  const uint32_t set = (note->address >> cache->line_shift) & (cache->set_count - 1u);
  const uint32_t *ways = t->sanitizer->coherence->cleaned_at + set * cache->way_count;
  uint32_t way;
  for (way = 0; way < cache->way_count; ++way) {
    if (ways[way] <= note->clean_count) {
      return 0;
    }
  }
  return 1;
}

const ps_line_note *ps_dirty_note(const ps_timing *t, uint32_t address, uint32_t size_bytes) {
  const ps_line_note *note = note_at(t, address);
  const int has_flag =
      note != NULL && (ps_any_flag(t->sanitizer, address, size_bytes) & PS_BYTE_DIRTY) != 0u;
  return has_flag && !is_cleaned(t, note) ? note : NULL;
}

ps_actor ps_line_writer(const ps_timing *t, const ps_line_note *note) {
  ps_actor actor = ps_core_actor(t, note->address, line_bytes(t), 1);
  actor.time = note->written_at;
  actor.slot = note->writer;
  return actor;
}

int ps_find_alias_writer(const ps_timing *t, uint32_t address, uint64_t since, ps_actor *actor) {
  const ps_line_note *note = note_at(t, address);
  const int is_found =
      note != NULL && note->written_at > since && note->address != line_of(t, address);
  if (is_found) {
    *actor = ps_line_writer(t, note);
  }
  return is_found;
}

int ps_report_lost(ps_timing *t, const ps_actor *reader, uint32_t address, uint32_t size_bytes) {
  const ps_line_note *note = note_at(t, address);
  const uint32_t first = ps_any_flag(t->sanitizer, address, 1);
  ps_fault *fault = &t->sanitizer->fault;
  ps_actor writer;
  if ((first & PS_BYTE_LOST) == 0u) { /* what is lost may begin in the next line */
    note = note_at(t, address + size_bytes - 1u);
  }
  if (fault->kind == PS_FAULT_NONE) {
    writer = ps_line_writer(t, note);
    fault->loss = writer;
    fault->loss.time = note->lost_at;
    fault->loss.slot = note->loser;
    (void)ps_report(t, PS_FAULT_LOST, reader, &writer, NULL);
  }
  return 0;
}

int ps_is_stale(const ps_timing *t, uint32_t address) {
  const uint32_t *tag = t->data_cache.is_enabled ? ps_cache_find(&t->data_cache, address) : NULL;
  return tag != NULL && (*tag & PS_LINE_STALE) != 0u;
}

/* Finds the next other address at which a byte is seen; 0 after the last. */
static int next_alias(const ps_timing *t, uint32_t address, uint32_t *index, uint32_t *other) {
  const ps_coherence *k = t->sanitizer->coherence;
  while (*index < k->alias_count) {
    const alias *entry = &k->aliases[(*index)++];
    if (address - entry->base < entry->size_bytes) {
      *other = address - entry->base + entry->other;
      return 1;
    }
  }
  return 0;
}

static void mark_line_stale(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  uint32_t *tag = t->data_cache.is_enabled ? ps_cache_find(&t->data_cache, address) : NULL;
  if (tag != NULL) {
    *tag |= PS_LINE_STALE;
    ps_set_flags(t->sanitizer, address, size_bytes, PS_BYTE_STALE, 0);
  }
}

static void mark_aliases_stale(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  uint32_t index = 0;
  uint32_t other;
  while (next_alias(t, address, &index, &other)) {
    mark_line_stale(t, other, size_bytes);
  }
}

void ps_mark_stale(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  mark_line_stale(t, address, size_bytes);
  mark_aliases_stale(t, address, size_bytes);
}

/* Bytes in one line. */
static void note_write(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  const ps_coherence *k = t->sanitizer->coherence;
  ps_line_note *note = note_at(t, address);
  if (note == NULL) {
    return;
  }
  if (note->clean_count != k->clean_count && is_cleaned(t, note)) {
    ps_set_flags(t->sanitizer, line_of(t, address), line_bytes(t), 0, PS_BYTE_DIRTY);
  }
  note->written_at = t->now;
  note->writer = (uint32_t)t->slot;
  note->address = line_of(t, address);
  note->clean_count = k->clean_count;
  ps_set_flags(t->sanitizer, address, size_bytes, PS_BYTE_DIRTY, 0);
  mark_aliases_stale(t, address, size_bytes);
}

void ps_sanitize_write_back(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  const uint32_t room = line_of(t, address) + line_bytes(t) - address;
  note_write(t, address, size_bytes < room ? size_bytes : room);
  if (size_bytes > room) {
    note_write(t, address + room, size_bytes - room);
  }
}

void ps_sanitize_uncached_read(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  const ps_line_note *note = ps_dirty_note(t, address, size_bytes);
  if (note != NULL) {
    const ps_actor reader = ps_core_actor(t, address, size_bytes, 0);
    const ps_actor writer = ps_line_writer(t, note);
    (void)ps_report(t, PS_FAULT_UNCLEAN, &reader, &writer, NULL);
  }
}

void ps_sanitize_gone(ps_timing *t, uint32_t line) {
  uint32_t index = 0;
  uint32_t other;
  while (next_alias(t, line, &index, &other)) {
    if (ps_is_stale(t, other)) {
      return;
    }
  }
  ps_set_flags(t->sanitizer, line, line_bytes(t), 0, PS_BYTE_STALE);
}

/* What was written at one address and not cleaned is not what a line of the other address gets. */
void ps_sanitize_fill(ps_timing *t, uint32_t line) {
  const ps_line_note *note = t->sanitizer->coherence->alias_count != 0u
                                 ? ps_dirty_note(t, line, line_bytes(t))
                                 : NULL;
  ps_sanitize_gone(t, line);
  if (note != NULL && note->address != line) {
    ps_sanitize_uncached_read(t, line, line_bytes(t));
  }
}

static void lose(ps_timing *t, ps_line_note *note) {
  uint8_t *shadow = ps_shadow_at(t->sanitizer, note->address);
  uint32_t index;
  for (index = 0; index < line_bytes(t); ++index) {
    if ((shadow[index] & PS_BYTE_DIRTY) != 0u) {
      shadow[index] = (uint8_t)((shadow[index] & ~PS_BYTE_DIRTY) | PS_BYTE_LOST);
    }
  }
  note->lost_at = t->now;
  note->loser = (uint32_t)t->slot;
}

void ps_sanitize_line(ps_timing *t, uint32_t address, int cleans, int invalidates) {
  const uint32_t line = line_of(t, address);
  ps_line_note *note = note_at(t, address);
  if (note == NULL || note->address != line || ps_dirty_note(t, line, line_bytes(t)) == NULL) {
    return;
  }
  if (cleans) {
    ps_set_flags(t->sanitizer, line, line_bytes(t), 0, PS_BYTE_DIRTY);
  } else if (invalidates) {
    lose(t, note);
  }
}

void ps_sanitize_tag(ps_timing *t, const uint32_t *tag, int cleans, int invalidates) {
  ps_coherence *k = t->sanitizer->coherence;
  if (cleans) {
    k->cleaned_at[tag - t->data_cache.tags] = ++k->clean_count;
  } else if (invalidates && (*tag & PS_LINE_DIRTY) != 0u) {
    ps_sanitize_line(t, *tag & ~(uint32_t)PS_LINE_FLAGS, 0, 1);
  }
}

void ps_sanitize_chill(ps_timing *t) {
  ps_coherence *k = t->sanitizer->coherence;
  const size_t tag_count = (size_t)t->data_cache.set_count * t->data_cache.way_count;
  size_t index;
  ++k->clean_count;
  for (index = 0; index < tag_count; ++index) {
    k->cleaned_at[index] = k->clean_count;
  }
}

void ps_sanitize_result(ps_timing *t, uint32_t address, uint32_t size_bytes) {
  uint32_t index;
  for (index = 0; index < size_bytes; ++index) {
    if ((ps_any_flag(t->sanitizer, address + index, 1) & PS_BYTE_LOST) != 0u) {
      ps_actor reader = ps_core_actor(t, address, size_bytes, 0);
      reader.slot = 0; /* the application */
      (void)ps_report_lost(t, &reader, address + index, 1);
      return;
    }
  }
}
