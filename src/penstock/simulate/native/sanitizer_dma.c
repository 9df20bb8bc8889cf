/* Sanitizers of transfers: what they meet in memory, in the cache, and in each other. */
#include <stddef.h>
#include <string.h>

#include "sanitizer_parts.h"

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
int ps_find_transfer(const ps_dma *d, const ps_dma_transfer *but, const uint8_t *byte,
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
int ps_find_writer(const ps_dma *d, uint32_t address, uint32_t size_bytes, ps_actor *actor) {
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

static void flag_side(const ps_sanitizer *s, const ps_dma_transfer *transfer,
                      const ps_dma_side *side, uint32_t set, uint32_t cleared) {
  const uint32_t base = side->window->base;
  ps_set_flags(s, base + first_offset(transfer, side), extent_of(transfer, side), set, cleared);
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
  if (ps_find_transfer(d, transfer, first, extent_of(transfer, side), is_write, &other)) {
    return ps_report(d->timing, PS_FAULT_RACE, &actor, &other, NULL);
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
      return ps_report(d->timing, PS_FAULT_OUTSIDE, &actor, NULL, NULL);
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

/* What a transfer reads of a line must not be newer in the cache, nor lost. */
static int check_source(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t size_bytes) {
  ps_timing *t = d->timing;
  const ps_actor actor = transfer_actor(c, channel, 0);
  const uint32_t flags = ps_any_flag(t->sanitizer, address, size_bytes);
  const ps_line_note *note = ps_dirty_note(t, address, size_bytes);
  if (note != NULL) {
    const ps_actor other = ps_line_writer(t, note);
    return ps_report(t, PS_FAULT_UNCLEAN, &actor, &other, NULL);
  }
  if ((flags & PS_BYTE_LOST) != 0u) {
    return ps_report_lost(t, &actor, address, size_bytes);
  }
  if ((flags & PS_BYTE_WRITTEN) == 0u && t->sanitizer->checks_unwritten) {
    ps_actor reader = actor;
    reader.address = address;
    reader.size_bytes = size_bytes;
    return ps_report(t, PS_FAULT_UNWRITTEN, &reader, NULL, NULL);
  }
  return 1;
}

/* Lines above what a transfer writes get stale; dirty ones would overwrite it. */
static int check_target(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                        uint32_t size_bytes) {
  ps_timing *t = d->timing;
  const uint32_t line_bytes = 1u << t->data_cache.line_shift;
  uint32_t end;
  ps_set_flags(t->sanitizer, address, size_bytes, PS_BYTE_WRITTEN, PS_BYTE_LOST);
  if (t->data_cache.set_count == 0u) {
    return 1;
  }
  for (end = address + size_bytes; address < end;) {
    const uint32_t line = address & ~(line_bytes - 1u);
    const uint32_t size = (line + line_bytes < end ? line + line_bytes : end) - address;
    const ps_line_note *note = ps_dirty_note(t, line, line_bytes);
    if (note != NULL) {
      const ps_actor actor = transfer_actor(c, channel, 1);
      const ps_actor other = ps_line_writer(t, note);
      return ps_report(t, PS_FAULT_DIRTY, &actor, &other, NULL);
    }
    ps_mark_stale(t, address, size);
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
    const uint32_t next = d->timing->data_cache.set_count != 0u
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
  ps_actor actor = ps_core_actor(d->timing, address, 0, 1);
  actor.is_dma = 1;
  actor.controller = c->number;
  actor.channel = channel;
  (void)ps_report(d->timing, (ps_fault_kind)kind, &actor, NULL, what);
}
