#include "cache.h"

#include <stdlib.h>
#include <string.h>

int ps_cache_open(ps_cache *cache) {
  cache->random = 1;
  if (cache->set_count == 0u) {
    return 1;
  }
  cache->tags = calloc((size_t)cache->set_count * cache->way_count, sizeof *cache->tags);
  return cache->tags != NULL;
}

void ps_cache_close(ps_cache *cache) {
  free(cache->tags);
  cache->tags = NULL;
  cache->set_count = 0;
  cache->is_enabled = 0;
}

/* Marsaglia's 32-bit xorshift: the processors' own sequence is not published. */
static uint32_t next_random(ps_cache *cache) {
  uint32_t x = cache->random;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  cache->random = x;
  return x;
}

uint32_t *ps_cache_victim(ps_cache *cache, uint32_t address) {
  const uint32_t line = address >> cache->line_shift;
  uint32_t *set = cache->tags + (line & (cache->set_count - 1u)) * cache->way_count;
  uint32_t way;
  for (way = 0; way < cache->way_count; ++way) {
    if ((set[way] & PS_LINE_VALID) == 0u) {
      return &set[way];
    }
  }
  return &set[next_random(cache) % cache->way_count];
}

void ps_cache_invalidate_all(ps_cache *cache) {
  if (cache->tags != NULL) {
    memset(cache->tags, 0, (size_t)cache->set_count * cache->way_count * sizeof *cache->tags);
  }
}
