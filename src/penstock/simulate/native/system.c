/* Registers of the core that timing depends on: cache control and memory attributes.
 * Numbers from the ARMv7-M architecture reference manual B2.2.7, B3.2 and B3.5. */
#include <string.h>

#include "dma.h"
#include "sanitizer.h"

enum { PAGE_MASK = 0xFFF };
static const uint32_t SYSTEM_PAGE = 0xE000E000u;

enum {
  INTERRUPTS_FIRST = 0x100, /* set-enable to clear-pending */
  INTERRUPTS_LAST = 0x2FF,
  CCR = 0xD14,
  CCSIDR = 0xD80,
  CSSELR = 0xD84,
  MPU_FIRST = 0xD94,
  MPU_LAST = 0xDBC,
  ICIALLU = 0xF50,
  DCIMVAC = 0xF5C,
  DCISW = 0xF60,
  DCCMVAC = 0xF68,
  DCCSW = 0xF6C,
  DCCIMVAC = 0xF70,
  DCCISW = 0xF74
};
enum { CCR_DATA_CACHE = 1 << 16, CCR_INSTRUCTION_CACHE = 1 << 17 };

static uint32_t log2_of(uint32_t power) {
  uint32_t bits = 0;
  while ((1u << bits) < power) {
    ++bits;
  }
  return bits;
}

/* One operation on a line that the cache holds. */
static void maintain(ps_timing *t, uint32_t *tag, int cleans, int invalidates) {
  const uint32_t line = *tag & ~(uint32_t)PS_LINE_FLAGS;
  if (cleans && (*tag & PS_LINE_DIRTY) != 0u) {
    ps_write_line(t, line);
    *tag &= ~(uint32_t)PS_LINE_DIRTY;
  }
  if (invalidates) {
    if (t->sanitizer != 0 && (*tag & PS_LINE_VALID) != 0u) {
      *tag = 0;
      ps_sanitize_gone(t, line);
    }
    *tag = 0;
  }
}

static void maintain_address(ps_timing *t, uint32_t address, int cleans, int invalidates) {
  uint32_t *tag = ps_cache_find(&t->data_cache, address);
  if (t->sanitizer != 0) {
    ps_sanitize_line(t, address, cleans, invalidates);
  }
  if (tag != 0) {
    maintain(t, tag, cleans, invalidates);
  }
}

/* Returns a null pointer for a way that does not exist: their number may be no power of two. */
static uint32_t *at_set_and_way(const ps_cache *cache, uint32_t value) {
  const uint32_t set = (value >> cache->line_shift) & (cache->set_count - 1u);
  const uint32_t way_bits = log2_of(cache->way_count);
  const uint32_t way = way_bits != 0u ? value >> (32u - way_bits) : 0u;
  return way < cache->way_count ? &cache->tags[set * cache->way_count + way] : NULL;
}

static void maintain_set_and_way(ps_timing *t, uint32_t value, int cleans, int invalidates) {
  uint32_t *tag = at_set_and_way(&t->data_cache, value);
  if (tag == NULL) {
    return;
  }
  if (t->sanitizer != 0) {
    ps_sanitize_tag(t, tag, cleans, invalidates);
  }
  maintain(t, tag, cleans, invalidates);
}

static void enable_caches(ps_timing *t, uint32_t control) {
  t->data_cache.is_enabled = t->data_cache.set_count != 0u && (control & CCR_DATA_CACHE) != 0u;
  if (t->has_core_caches) {
    t->instruction_cache.is_enabled =
        t->instruction_cache.set_count != 0u && (control & CCR_INSTRUCTION_CACHE) != 0u;
  }
}

/* CCSIDR says what the selected cache is like: 4.5.6 of the Cortex-M7 TRM (DDI0489). */
static uint32_t size_of(const ps_cache *cache) {
  return cache->set_count == 0u ? 0u
                                : (cache->set_count - 1u) << 13 | (cache->way_count - 1u) << 3 |
                                      (cache->line_shift - 4u);
}

static void write_page(uint8_t *page, uint32_t offset, uint32_t value) {
  memcpy(page + offset, &value, sizeof value);
}

static void write_system(ps_timing *t, uint32_t offset, uint32_t value) {
  ps_cache *data = &t->data_cache;
  if (offset == CCR) {
    enable_caches(t, value);
  } else if (offset == CSSELR) {
    write_page(t->system_page, CCSIDR,
               size_of((value & 1u) != 0u ? &t->instruction_cache : data));
  } else if (offset >= MPU_FIRST && offset <= MPU_LAST) {
    t->on_attributes(offset, value);
  } else if (offset == ICIALLU && t->instruction_cache.set_count != 0u) {
    ps_cache_invalidate_all(&t->instruction_cache);
  } else if (data->set_count == 0u) {
    return;
  } else if (offset == DCIMVAC) {
    maintain_address(t, value, 0, 1);
  } else if (offset == DCISW) {
    maintain_set_and_way(t, value, 0, 1);
  } else if (offset == DCCMVAC) {
    maintain_address(t, value, 1, 0);
  } else if (offset == DCCSW) {
    maintain_set_and_way(t, value, 1, 0);
  } else if (offset == DCCIMVAC) {
    maintain_address(t, value, 1, 1);
  } else if (offset == DCCISW) {
    maintain_set_and_way(t, value, 1, 1);
  }
}

void ps_system_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                      uint32_t value) {
  const uint32_t page = address & ~(uint32_t)PAGE_MASK;
  const uint32_t offset = address & PAGE_MASK;
  if (page == SYSTEM_PAGE && offset >= INTERRUPTS_FIRST && offset <= INTERRUPTS_LAST) {
    if (t->dma != 0) {
      ps_interrupt_access(t, offset, is_write, value);
    }
  } else if (ps_is_counter(address)) {
    ps_counter_access(t, address, is_write, value);
  } else if (page == SYSTEM_PAGE && is_write) {
    write_system(t, offset, value);
  } else if (t->dma != 0) {
    ps_dma_access(t, address, size_bytes, is_write, value);
  }
}
