#include "sanitizer_parts.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t EVERY_BYTE = 0x0101010101010101u;
enum { WIDE_BYTES = 8 };

int ps_sanitizer_open(ps_sanitizer *s, ps_timing *t, const ps_dma *d) {
  uint64_t index;
  uint32_t offset;
  s->shadow_of_page = calloc(PS_PAGE_COUNT, sizeof *s->shadow_of_page);
  if (s->shadow_of_page == NULL || !ps_coherence_open(s, &t->data_cache, d)) {
    return 0;
  }
  for (index = 0; index < d->window_count; ++index) {
    const ps_window *window = &d->windows[index];
    for (offset = 0; offset < window->size_bytes; offset += 1u << PS_PAGE_SHIFT) {
      s->shadow_of_page[(window->base + offset) >> PS_PAGE_SHIFT] = window->shadow + offset;
    }
  }
  t->sanitizer = s;
  return 1;
}

void ps_sanitizer_close(ps_sanitizer *s) {
  free(s->shadow_of_page);
  s->shadow_of_page = NULL;
  ps_coherence_close(s);
}

uint8_t *ps_shadow_at(const ps_sanitizer *s, uint32_t address) {
  uint8_t *page = s->shadow_of_page[address >> PS_PAGE_SHIFT];
  return page == NULL ? NULL : page + (address & ((1u << PS_PAGE_SHIFT) - 1u));
}

/* Bytes of a range, which may reach over several memories. */
void ps_set_flags(const ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t set,
                  uint32_t cleared) {
  while (size_bytes > 0u) {
    const uint32_t left = (1u << PS_PAGE_SHIFT) - (address & ((1u << PS_PAGE_SHIFT) - 1u));
    const uint32_t taken = size_bytes < left ? (uint32_t)size_bytes : left;
    uint8_t *shadow = ps_shadow_at(s, address);
    uint32_t index;
    for (index = 0; shadow != NULL && index < taken; ++index) {
      shadow[index] = (uint8_t)((shadow[index] & ~cleared) | set);
    }
    address += taken;
    size_bytes -= taken;
  }
}

void ps_sanitizer_mark(ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t flags) {
  const uint32_t outdated = (flags & PS_BYTE_WRITTEN) != 0u ? PS_BYTE_DIRTY | PS_BYTE_LOST : 0u;
  ps_set_flags(s, address, size_bytes, flags, outdated);
}

uint32_t ps_any_flag(const ps_sanitizer *s, uint32_t address, uint32_t size_bytes) {
  const uint8_t *shadow = ps_shadow_at(s, address);
  uint32_t found = 0;
  uint32_t index;
  for (index = 0; shadow != NULL && index < size_bytes; ++index) {
    found |= shadow[index];
  }
  return found;
}

/* Only the first fault counts. Returns 0, which is what callers say then. */
int ps_report(ps_timing *t, ps_fault_kind kind, const ps_actor *actor, const ps_actor *other,
              const char *what) {
  ps_fault *fault = &t->sanitizer->fault;
  if (fault->kind != PS_FAULT_NONE) {
    return 0;
  }
  fault->kind = kind;
  fault->actor = *actor;
  fault->has_other = other != NULL;
  if (other != NULL) {
    fault->other = *other;
  }
  if (what != NULL) {
    strncpy(fault->what, what, sizeof fault->what - 1u);
  }
  t->has_failed = 1;
  return 0;
}

ps_actor ps_core_actor(const ps_timing *t, uint32_t address, uint32_t size_bytes,
                       int is_write) {
  ps_actor actor;
  memset(&actor, 0, sizeof actor);
  actor.is_write = is_write != 0;
  actor.address = address;
  actor.size_bytes = size_bytes;
  actor.block = t->blocks[t->previous].address;
  actor.time = t->now;
  actor.slot = t->slot;
  return actor;
}

/* What made a line stale: the latest transfer, or a write by another address of the same bytes. */
static void report_stale(ps_timing *t, ps_fault_kind kind, const ps_actor *actor) {
  ps_actor other;
  int has_other = ps_find_writer(t->dma, actor->address, actor->size_bytes, &other);
  has_other |= ps_find_alias_writer(t, actor->address, has_other ? other.ended_at : 0u, &other);
  (void)ps_report(t, kind, actor, has_other ? &other : NULL, NULL);
}

static void explain_access(ps_timing *t, const uint8_t *shadow, uint32_t flags, uint32_t address,
                           uint32_t size_bytes, int is_write) {
  const ps_actor actor = ps_core_actor(t, address, size_bytes, is_write);
  const uint32_t racing = is_write ? PS_BYTE_TARGET | PS_BYTE_SOURCE : PS_BYTE_TARGET;
  ps_actor other;
  if ((flags & racing) != 0u &&
      ps_find_transfer(t->dma, NULL, shadow, size_bytes, is_write, &other)) {
    (void)ps_report(t, PS_FAULT_RACE, &actor, &other, NULL);
  } else if ((flags & PS_BYTE_STALE) != 0u &&
             (ps_is_stale(t, address) || ps_is_stale(t, address + size_bytes - 1u))) {
    report_stale(t, is_write ? PS_FAULT_OVERWRITE : PS_FAULT_STALE, &actor);
  } else if (!is_write && (flags & PS_BYTE_LOST) != 0u) {
    (void)ps_report_lost(t, &actor, address, size_bytes);
  }
}

static uint32_t forbidden_flags(int is_write) {
  const uint32_t either = PS_BYTE_TARGET | PS_BYTE_STALE | PS_BYTE_LOST;
  return is_write ? either | PS_BYTE_SOURCE : either;
}

/* Most accesses are fine, and all their bytes alike. */
static int is_fine(const ps_timing *t, const uint8_t *shadow, uint32_t size_bytes, int is_write) {
  const uint32_t bounds =
      t->sanitizer->checks_bounds && t->slot != 0u ? (uint32_t)PS_BYTE_ALLOWED : 0u;
  const uint32_t wanted = PS_BYTE_WRITTEN | bounds;
  const uint32_t looked_at = wanted | forbidden_flags(is_write);
  uint32_t word;
  uint16_t half;
  switch (size_bytes) {
    case 1:
      return (*shadow & looked_at) == wanted;
    case 2:
      memcpy(&half, shadow, sizeof half);
      return (half & 0x0101u * looked_at) == 0x0101u * wanted;
    case 4:
      memcpy(&word, shadow, sizeof word);
      return (word & 0x01010101u * looked_at) == 0x01010101u * wanted;
    default:
      return 0;
  }
}

void ps_sanitize_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write) {
  ps_sanitizer *s = t->sanitizer;
  uint8_t *shadow = ps_shadow_at(s, address);
  uint64_t known = 0;
  uint64_t set;
  if (shadow == NULL || is_fine(t, shadow, size_bytes, is_write) || size_bytes > WIDE_BYTES) {
    return;
  }
  memcpy(&known, shadow, size_bytes);
  if ((known & EVERY_BYTE * forbidden_flags(is_write)) != 0u) {
    explain_access(t, shadow, ps_any_flag(s, address, size_bytes), address, size_bytes, is_write);
  }
  if (s->checks_bounds && t->slot != 0u &&
      (~known & EVERY_BYTE * PS_BYTE_ALLOWED & (UINT64_MAX >> (64u - 8u * size_bytes))) != 0u) {
    const ps_actor actor = ps_core_actor(t, address, size_bytes, is_write);
    (void)ps_report(t, PS_FAULT_OUTSIDE, &actor, NULL, NULL);
  }
  if (is_write) {
    set = (known | EVERY_BYTE * PS_BYTE_WRITTEN) & ~(EVERY_BYTE * PS_BYTE_LOST);
    memcpy(shadow, &set, size_bytes);
  } else if ((known & EVERY_BYTE * PS_BYTE_WRITTEN) == 0u && s->checks_unwritten) {
    /* Parts of words may be padding that is copied along. */
    const ps_actor actor = ps_core_actor(t, address, size_bytes, 0);
    (void)ps_report(t, PS_FAULT_UNWRITTEN, &actor, NULL, NULL);
  }
}
