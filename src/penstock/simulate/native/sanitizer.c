#include "sanitizer.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t EVERY_BYTE = 0x0101010101010101u;
enum { WIDE_BYTES = 8 };

int ps_sanitizer_open(ps_sanitizer *s, ps_timing *t, const ps_dma *d) {
  const ps_cache *cache = &t->data_cache;
  uint64_t index;
  uint32_t offset;
  s->shadow_of_page = calloc(PS_PAGE_COUNT, sizeof *s->shadow_of_page);
  s->uses = calloc((size_t)cache->set_count * cache->way_count + 1u, sizeof *s->uses);
  if (s->shadow_of_page == NULL || s->uses == NULL) {
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
  free(s->uses);
  s->shadow_of_page = NULL;
  s->uses = NULL;
}

static uint8_t *shadow_at(const ps_sanitizer *s, uint32_t address) {
  uint8_t *page = s->shadow_of_page[address >> PS_PAGE_SHIFT];
  return page == NULL ? NULL : page + (address & ((1u << PS_PAGE_SHIFT) - 1u));
}

/* Bytes of a range that lies in one memory. */
static void set_flags(const ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t set,
                      uint32_t cleared) {
  uint8_t *shadow = shadow_at(s, address);
  uint64_t index;
  for (index = 0; shadow != NULL && index < size_bytes; ++index) {
    shadow[index] = (uint8_t)((shadow[index] & ~cleared) | set);
  }
}

void ps_sanitizer_mark(ps_sanitizer *s, uint32_t address, uint64_t size_bytes, uint32_t flags) {
  set_flags(s, address, size_bytes, flags, 0);
}

static uint32_t any_flag(const ps_sanitizer *s, uint32_t address, uint32_t size_bytes) {
  const uint8_t *shadow = shadow_at(s, address);
  uint32_t found = 0;
  uint32_t index;
  for (index = 0; shadow != NULL && index < size_bytes; ++index) {
    found |= shadow[index];
  }
  return found;
}

/* Only the first fault counts. Returns 0, which is what callers say then. */
static int report(ps_timing *t, ps_fault_kind kind, const ps_actor *actor, const ps_actor *other,
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

static ps_actor core_actor(const ps_timing *t, uint32_t address, uint32_t size_bytes,
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

static ps_actor transfer_actor(const ps_dma_controller *c, uint32_t channel, int is_write) {
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  ps_actor actor;
  memset(&actor, 0, sizeof actor);
  actor.is_dma = 1;
  actor.controller = c->number;
  actor.channel = channel;
  actor.is_write = is_write != 0;
  actor.address = is_write ? transfer->destination.start : transfer->source.start;
  actor.size_bytes = transfer->size_bytes;
  actor.time = transfer->started_at;
  actor.slot = transfer->slot;
  actor.ended_at = transfer->ended_at;
  return actor;
}

/* What a running transfer's side covers; the same bytes through an alias count. */
static uint32_t first_offset(const ps_dma_transfer *transfer, const ps_dma_side *side) {
  const uint32_t offset = side->start - side->window->base;
  return side->step < 0 ? offset + side->width_bytes - transfer->size_bytes : offset;
}

static uint32_t extent_of(const ps_dma_transfer *transfer, const ps_dma_side *side) {
  return side->step == 0 ? side->width_bytes : transfer->size_bytes;
}

static int covers(const ps_dma_transfer *transfer, const ps_dma_side *side, const uint8_t *byte,
                  uint32_t size_bytes) {
  const uint8_t *first = side->window->shadow + first_offset(transfer, side);
  return byte < first + extent_of(transfer, side) && first < byte + size_bytes;
}

/* Finds an unfinished transfer that covers one of some bytes with its source or its target. */
static int find_transfer(const ps_dma *d, const ps_dma_transfer *but, const uint8_t *byte,
                         uint32_t size_bytes, int looks_at_sources, ps_actor *actor) {
  uint64_t number;
  uint32_t channel;
  for (number = 0; number < d->controller_count; ++number) {
    const ps_dma_controller *c = &d->controllers[number];
    for (channel = 0; channel < c->channel_count; ++channel) {
      const ps_dma_transfer *transfer = &c->channels[channel].transfer;
      const int is_open = transfer->state != PS_DMA_IDLE && transfer != but;
      if (is_open && covers(transfer, &transfer->destination, byte, size_bytes)) {
        *actor = transfer_actor(c, channel, 1);
        return 1;
      }
      if (is_open && looks_at_sources && covers(transfer, &transfer->source, byte, size_bytes)) {
        *actor = transfer_actor(c, channel, 0);
        return 1;
      }
    }
  }
  return 0;
}

/* The latest finished transfer that wrote one of some bytes. */
static int find_writer(const ps_dma *d, uint32_t address, uint32_t size_bytes, ps_actor *actor) {
  uint64_t index = d->record_count;
  while (index-- > 0u) {
    const ps_dma_record *r = &d->records[index];
    if (address < r->destination + r->size_bytes && r->destination < address + size_bytes) {
      memset(actor, 0, sizeof *actor);
      actor->is_dma = 1;
      actor->controller = r->controller;
      actor->channel = r->channel;
      actor->is_write = 1;
      actor->address = r->destination;
      actor->size_bytes = r->size_bytes;
      actor->time = r->started_at;
      actor->ended_at = r->ended_at;
      actor->slot = r->slot;
      return 1;
    }
  }
  return 0;
}

/* Who brought a line into the data cache, or made it newer than memory. */
static ps_actor line_user(const ps_timing *t, const uint32_t *tag, int is_write) {
  const ps_line_use *use = &t->sanitizer->uses[tag - t->data_cache.tags];
  ps_actor actor = core_actor(t, *tag & ~(uint32_t)PS_LINE_FLAGS,
                              1u << t->data_cache.line_shift, is_write);
  actor.time = use->time;
  actor.slot = use->slot;
  return actor;
}

static void explain_access(ps_timing *t, const uint8_t *shadow, uint32_t flags, uint32_t address,
                           uint32_t size_bytes, int is_write) {
  const ps_actor actor = core_actor(t, address, size_bytes, is_write);
  const uint32_t racing = is_write ? PS_BYTE_TARGET | PS_BYTE_SOURCE : PS_BYTE_TARGET;
  ps_actor other;
  if ((flags & racing) != 0u && find_transfer(t->dma, NULL, shadow, size_bytes, is_write, &other)) {
    (void)report(t, PS_FAULT_RACE, &actor, &other, NULL);
  } else if ((flags & PS_BYTE_STALE) != 0u) {
    const int has_writer = find_writer(t->dma, address, size_bytes, &other);
    (void)report(t, is_write ? PS_FAULT_OVERWRITE : PS_FAULT_STALE, &actor,
                 has_writer ? &other : NULL, NULL);
  }
}

static uint32_t forbidden_flags(int is_write) {
  return is_write ? PS_BYTE_TARGET | PS_BYTE_SOURCE | PS_BYTE_STALE
                  : PS_BYTE_TARGET | PS_BYTE_STALE;
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
  uint8_t *shadow = shadow_at(s, address);
  uint64_t known = 0;
  uint64_t set;
  if (shadow == NULL || is_fine(t, shadow, size_bytes, is_write) || size_bytes > WIDE_BYTES) {
    return;
  }
  memcpy(&known, shadow, size_bytes);
  if ((known & EVERY_BYTE * forbidden_flags(is_write)) != 0u) {
    explain_access(t, shadow, any_flag(s, address, size_bytes), address, size_bytes, is_write);
  }
  if (s->checks_bounds && t->slot != 0u &&
      (~known & EVERY_BYTE * PS_BYTE_ALLOWED & (UINT64_MAX >> (64u - 8u * size_bytes))) != 0u) {
    const ps_actor actor = core_actor(t, address, size_bytes, is_write);
    (void)report(t, PS_FAULT_OUTSIDE, &actor, NULL, NULL);
  }
  if (is_write) {
    set = known | EVERY_BYTE * PS_BYTE_WRITTEN;
    memcpy(shadow, &set, size_bytes);
  } else if ((known & EVERY_BYTE * PS_BYTE_WRITTEN) == 0u && s->checks_unwritten) {
    /* Parts of words may be padding that is copied along. */
    const ps_actor actor = core_actor(t, address, size_bytes, 0);
    (void)report(t, PS_FAULT_UNWRITTEN, &actor, NULL, NULL);
  }
}

static void note_use(ps_timing *t, const uint32_t *tag) {
  ps_line_use *use = &t->sanitizer->uses[tag - t->data_cache.tags];
  use->time = t->now;
  use->slot = t->slot;
}

void ps_sanitize_fill(ps_timing *t, const uint32_t *tag, uint32_t line) {
  note_use(t, tag);
  set_flags(t->sanitizer, line, 1u << t->data_cache.line_shift, 0, PS_BYTE_DIRTY | PS_BYTE_STALE);
}

void ps_sanitize_dirty(ps_timing *t, const uint32_t *tag, uint32_t address, uint32_t size_bytes) {
  note_use(t, tag);
  set_flags(t->sanitizer, address, size_bytes, PS_BYTE_DIRTY, 0);
}

void ps_sanitize_clean(ps_timing *t, uint32_t line) {
  set_flags(t->sanitizer, line, 1u << t->data_cache.line_shift, 0, PS_BYTE_DIRTY);
}

void ps_sanitize_drop(ps_timing *t, uint32_t tag) {
  set_flags(t->sanitizer, tag & ~(uint32_t)PS_LINE_FLAGS, 1u << t->data_cache.line_shift, 0,
            PS_BYTE_DIRTY | PS_BYTE_STALE);
}

static void flag_side(const ps_sanitizer *s, const ps_dma_transfer *transfer,
                      const ps_dma_side *side, uint32_t set, uint32_t cleared) {
  const uint32_t base = side->window->base;
  set_flags(s, base + first_offset(transfer, side), extent_of(transfer, side), set, cleared);
}

/* Flags of ranges that other unfinished transfers share with one that is over. */
static void flag_open_transfers(ps_dma *d) {
  uint64_t number;
  uint32_t channel;
  for (number = 0; number < d->controller_count; ++number) {
    const ps_dma_controller *c = &d->controllers[number];
    for (channel = 0; channel < c->channel_count; ++channel) {
      const ps_dma_transfer *transfer = &c->channels[channel].transfer;
      if (transfer->state != PS_DMA_IDLE) {
        flag_side(d->timing->sanitizer, transfer, &transfer->source, PS_BYTE_SOURCE, 0);
        flag_side(d->timing->sanitizer, transfer, &transfer->destination, PS_BYTE_TARGET, 0);
      }
    }
  }
}

static int meets_no_other(ps_dma *d, const ps_dma_controller *c, uint32_t channel,
                          const ps_dma_side *side, int is_write) {
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  const uint8_t *first = side->window->shadow + first_offset(transfer, side);
  const ps_actor actor = transfer_actor(c, channel, is_write);
  ps_actor other;
  if (find_transfer(d, transfer, first, extent_of(transfer, side), is_write, &other)) {
    return report(d->timing, PS_FAULT_RACE, &actor, &other, NULL);
  }
  return 1;
}

static int is_allowed(ps_dma *d, const ps_dma_controller *c, uint32_t channel,
                      const ps_dma_side *side, int is_write) {
  const ps_sanitizer *s = d->timing->sanitizer;
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  const uint8_t *shadow = side->window->shadow + first_offset(transfer, side);
  const uint32_t extent = extent_of(transfer, side);
  ps_actor actor = transfer_actor(c, channel, is_write);
  uint32_t index;
  for (index = 0; s->checks_bounds && d->timing->slot != 0u && index < extent; ++index) {
    if ((shadow[index] & PS_BYTE_ALLOWED) == 0u) {
      return report(d->timing, PS_FAULT_OUTSIDE, &actor, NULL, NULL);
    }
  }
  return 1;
}

int ps_sanitize_start(ps_dma *d, const ps_dma_controller *c, uint32_t channel) {
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  const ps_sanitizer *s = d->timing->sanitizer;
  if (!is_allowed(d, c, channel, &transfer->source, 0) ||
      !is_allowed(d, c, channel, &transfer->destination, 1) ||
      !meets_no_other(d, c, channel, &transfer->source, 0) ||
      !meets_no_other(d, c, channel, &transfer->destination, 1)) {
    return 0;
  }
  flag_side(s, transfer, &transfer->source, PS_BYTE_SOURCE, 0);
  flag_side(s, transfer, &transfer->destination, PS_BYTE_TARGET, 0);
  return 1;
}

/* The lines that a transfer reads must not be newer in the cache. */
static int check_source(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t size_bytes) {
  ps_timing *t = d->timing;
  const ps_actor actor = transfer_actor(c, channel, 0);
  const uint32_t flags = any_flag(t->sanitizer, address, size_bytes);
  if ((flags & PS_BYTE_DIRTY) != 0u && t->data_cache.is_enabled) {
    const uint32_t *tag = ps_cache_find(&t->data_cache, address);
    if (tag != NULL && (*tag & PS_LINE_DIRTY) != 0u) {
      const ps_actor other = line_user(t, tag, 1);
      return report(t, PS_FAULT_UNCLEAN, &actor, &other, NULL);
    }
  }
  if ((flags & PS_BYTE_WRITTEN) == 0u && t->sanitizer->checks_unwritten) {
    ps_actor reader = actor;
    reader.address = address;
    reader.size_bytes = size_bytes;
    return report(t, PS_FAULT_UNWRITTEN, &reader, NULL, NULL);
  }
  return 1;
}

/* Lines above what a transfer writes get stale; dirty ones would overwrite it. */
static int check_target(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t size_bytes) {
  ps_timing *t = d->timing;
  const ps_cache *cache = &t->data_cache;
  const uint32_t line_bytes = 1u << cache->line_shift;
  uint32_t end;
  set_flags(t->sanitizer, address, size_bytes, PS_BYTE_WRITTEN, 0);
  if (!cache->is_enabled) {
    return 1;
  }
  for (end = address + size_bytes; address < end;) {
    const uint32_t next = (address & ~(line_bytes - 1u)) + line_bytes;
    const uint32_t size = (next < end ? next : end) - address;
    uint32_t *tag = ps_cache_find(cache, address);
    if (tag != NULL && (*tag & PS_LINE_DIRTY) != 0u) {
      const ps_actor actor = transfer_actor(c, channel, 1);
      const ps_actor other = line_user(t, tag, 1);
      return report(t, PS_FAULT_DIRTY, &actor, &other, NULL);
    }
    if (tag != NULL) {
      *tag |= PS_LINE_STALE;
      set_flags(t->sanitizer, address, size, PS_BYTE_STALE, 0);
    }
    address += size;
  }
  return 1;
}

/* Where the round in progress begins, at its lowest address. */
static uint32_t lowest(const ps_dma_side *side, uint32_t size_bytes) {
  return side->step < 0 ? side->address + side->width_bytes - size_bytes : side->address;
}

static int check_lines(ps_dma *d, const ps_dma_controller *c, uint32_t channel,
                       const ps_dma_side *side, uint32_t size_bytes) {
  const uint32_t line_bytes = 1u << d->timing->data_cache.line_shift;
  uint32_t address = lowest(side, size_bytes);
  const uint32_t end = address + size_bytes;
  while (address < end) {
    const uint32_t next = d->timing->data_cache.is_enabled
                              ? (address & ~(line_bytes - 1u)) + line_bytes
                              : end;
    const uint32_t size = (next < end ? next : end) - address;
    if (!check_source(d, c, channel, address, size)) {
      return 0;
    }
    address += size;
  }
  return 1;
}

int ps_sanitize_move(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t size_bytes) {
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  const ps_dma_side *source = &transfer->source;
  const ps_dma_side *destination = &transfer->destination;
  const uint32_t read_bytes = source->step == 0 ? source->width_bytes : size_bytes;
  const uint32_t written_bytes = destination->step == 0 ? destination->width_bytes : size_bytes;
  return check_lines(d, c, channel, source, read_bytes) &&
         check_target(d, c, channel, lowest(destination, written_bytes), written_bytes);
}

void ps_sanitize_seen(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_dma_transfer *transfer = &c->channels[channel].transfer;
  transfer->state = PS_DMA_IDLE;
  flag_side(d->timing->sanitizer, transfer, &transfer->source, 0, PS_BYTE_SOURCE);
  flag_side(d->timing->sanitizer, transfer, &transfer->destination, 0, PS_BYTE_TARGET);
  flag_open_transfers(d);
}

void ps_sanitize_misuse(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t kind, const char *what) {
  ps_actor actor = core_actor(d->timing, address, 0, 1);
  actor.is_dma = 1;
  actor.controller = c->number;
  actor.channel = channel;
  (void)report(d->timing, (ps_fault_kind)kind, &actor, NULL, what);
}
