/* A set-associative cache: which lines it holds, not what is in them. */
#ifndef PS_CACHE_H
#define PS_CACHE_H

#include <stdint.h>

/* Flags in the low bits of a tag, whose other bits are the line's address. */
enum { PS_LINE_VALID = 1, PS_LINE_DIRTY = 2, PS_LINE_STALE = 4, PS_LINE_FLAGS = 7 };

typedef struct ps_cache {
  uint32_t line_shift; /* log2 of a line's bytes */
  uint32_t set_count;  /* a power of two; 0 for no cache */
  uint32_t way_count;
  uint32_t is_enabled;
  uint32_t random;
  uint32_t reserved;
  uint32_t *tags;
} ps_cache;

/* Returns 0 when there is no memory. */
int ps_cache_open(ps_cache *cache);
void ps_cache_close(ps_cache *cache);

/* Returns the tag of the line that holds an address, or a null pointer. */
static inline uint32_t *ps_cache_find(const ps_cache *cache, uint32_t address) {
  const uint32_t line = address >> cache->line_shift;
  uint32_t *set = cache->tags + (line & (cache->set_count - 1u)) * cache->way_count;
  uint32_t way;
  for (way = 0; way < cache->way_count; ++way) {
    if ((set[way] & PS_LINE_VALID) != 0u && (set[way] >> cache->line_shift) == line) {
      return &set[way];
    }
  }
  return 0;
}

/* Makes room for a line and returns its tag, which still is the victim's. */
uint32_t *ps_cache_victim(ps_cache *cache, uint32_t address);

void ps_cache_invalidate_all(ps_cache *cache);

#endif
