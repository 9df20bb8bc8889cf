#include "dma.h"

#include <stdlib.h>
#include <string.h>

#include "sanitizer.h"

enum { PAGE_MASK = 0xFFF };
enum { RECORDS_FIRST = 256, RECORDS_MAX = 1 << 20 };
static const uint64_t NEVER = UINT64_MAX;

static const ps_dma_layout *layout_of(const ps_dma_controller *c) {
  switch (c->kind) {
    case PS_DMA_MDMA:
      return &ps_dma_mdma_layout;
    case PS_DMA_GPDMA:
      return &ps_dma_gpdma_layout;
    default:
      return &ps_dma_stream_layout;
  }
}

void ps_dma_open(ps_dma *d, ps_timing *t) {
  uint64_t index;
  d->timing = t;
  for (index = 0; index < d->controller_count; ++index) {
    d->controllers[index].current = -1;
  }
  t->dma = d;
  t->next_event = NEVER;
}

void ps_dma_close(ps_dma *d) {
  free(d->records);
  d->records = NULL;
  d->record_count = 0;
  d->record_capacity = 0;
}

const ps_window *ps_dma_window(const ps_dma *d, uint32_t address) {
  uint64_t index;
  for (index = 0; index < d->window_count; ++index) {
    if (address - d->windows[index].base < d->windows[index].size_bytes) {
      return &d->windows[index];
    }
  }
  return NULL;
}

void ps_dma_misuse(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                   const char *what) {
  if (d->timing->sanitizer != NULL) {
    ps_sanitize_misuse(d, c, channel, address, PS_FAULT_MISUSE, what);
  }
}

/* Bytes from an address in a window to the end of the memories that follow without a gap, as far as
 * a controller reaches them in the same way. */
static uint32_t bytes_ahead(const ps_dma *d, const ps_dma_controller *c, const ps_window *window,
                            uint32_t address, int is_write) {
  uint32_t bytes = window->base + window->size_bytes - address;
  const ps_window *next = ps_dma_window(d, window->base + window->size_bytes);
  while (next != NULL && next->base == window->base + window->size_bytes &&
         next->bytes == window->bytes + window->size_bytes &&
         (next->controllers >> c->number & 1u) != 0u && (!is_write || next->is_writable)) {
    bytes += next->size_bytes;
    window = next;
    next = ps_dma_window(d, window->base + window->size_bytes);
  }
  return bytes;
}

static int reaches(ps_dma *d, const ps_dma_controller *c, uint32_t channel,
                   const ps_dma_side *side, uint32_t size_bytes, int is_write) {
  const ps_window *window = side->window;
  const uint32_t extent = side->step != 0 ? size_bytes : side->width_bytes;
  const char *what = NULL;
  if (window == NULL) {
    what = "no memory is there";
  } else if ((window->controllers >> c->number & 1u) == 0u) {
    what = "the controller has no way to this memory";
  } else if (is_write && !window->is_writable) {
    what = "the memory is read-only";
  } else if (side->step > 0 && extent > bytes_ahead(d, c, window, side->start, is_write)) {
    what = "the transfer runs over the end of the memory";
  } else if (side->step < 0 && extent > side->start - window->base + side->width_bytes) {
    what = "the transfer runs over the start of the memory";
  }
  if (what != NULL && d->timing->sanitizer != NULL) {
    ps_sanitize_misuse(d, c, channel, side->start, PS_FAULT_REACH, what);
  }
  return what == NULL;
}

static int32_t choose(const ps_dma_controller *c) {
  int32_t best = -1;
  uint32_t channel;
  for (channel = 0; channel < c->channel_count; ++channel) {
    const ps_dma_transfer *transfer = &c->channels[channel].transfer;
    if (transfer->state == PS_DMA_RUNNING &&
        (best < 0 || transfer->priority > c->channels[best].transfer.priority)) {
      best = (int32_t)channel;
    }
  }
  return best;
}

static void begin_round(ps_dma_controller *c, uint64_t start) {
  const ps_dma_transfer *transfer;
  uint32_t bytes;
  c->current = choose(c);
  if (c->current < 0) {
    return;
  }
  transfer = &c->channels[c->current].transfer;
  bytes = transfer->source.burst_bytes > transfer->destination.burst_bytes
              ? transfer->source.burst_bytes
              : transfer->destination.burst_bytes;
  if (bytes > transfer->size_bytes - transfer->done_bytes) {
    bytes = transfer->size_bytes - transfer->done_bytes;
  }
  c->round_bytes = bytes;
  ps_dma_begin_bursts(c, 2u * bytes <= transfer->fifo_bytes, start);
}

static uint32_t item_at(const ps_dma_side *side, uint32_t offset) {
  const uint32_t item = offset / side->width_bytes * side->width_bytes;
  return side->address - side->window->base +
         (side->step > 0 ? offset : side->step < 0 ? offset - 2u * item : offset - item);
}

static void copy_round(const ps_dma_transfer *transfer, uint32_t bytes) {
  uint8_t items[PS_DMA_ROUND_BYTES_MAX];
  uint32_t offset;
  for (offset = 0; offset < bytes; ++offset) {
    items[offset] = transfer->source.window->bytes[item_at(&transfer->source, offset)];
  }
  for (offset = 0; offset < bytes; ++offset) {
    transfer->destination.window->bytes[item_at(&transfer->destination, offset)] = items[offset];
  }
}

static void move_on(ps_dma_side *side, uint32_t bytes) {
  side->address += (uint32_t)side->step * bytes;
}

static void record(ps_dma *d, const ps_dma_controller *c, uint32_t channel) {
  const ps_dma_transfer *transfer = &c->channels[channel].transfer;
  ps_dma_record *entry;
  if (d->record_count == d->record_capacity) {
    const uint64_t capacity = d->record_capacity != 0u ? 2u * d->record_capacity : RECORDS_FIRST;
    ps_dma_record *records =
        capacity > RECORDS_MAX ? NULL : realloc(d->records, capacity * sizeof *records);
    if (records == NULL) {
      d->is_cut = 1;
      return;
    }
    d->records = records;
    d->record_capacity = capacity;
  }
  entry = &d->records[d->record_count++];
  entry->controller = c->number;
  entry->channel = channel;
  entry->source = transfer->source.start;
  entry->destination = transfer->destination.start;
  entry->size_bytes = transfer->size_bytes;
  entry->slot = (uint32_t)transfer->slot;
  entry->started_at = transfer->started_at;
  entry->ended_at = transfer->ended_at;
}

static void end_round(ps_dma *d, ps_dma_controller *c) {
  const uint32_t channel = (uint32_t)c->current;
  ps_dma_transfer *transfer = &c->channels[channel].transfer;
  const uint32_t bytes = c->round_bytes;
  if (transfer->state != PS_DMA_RUNNING) {
    return; /* stopped while its burst was in progress */
  }
  if (d->timing->sanitizer != NULL && !ps_sanitize_move(d, c, channel, bytes)) {
    return;
  }
  copy_round(transfer, bytes);
  d->timing->memories[transfer->source.window->memory].bytes_read += bytes;
  d->timing->memories[transfer->destination.window->memory].bytes_written += bytes;
  move_on(&transfer->source, bytes);
  move_on(&transfer->destination, bytes);
  transfer->done_bytes += bytes;
  if (transfer->done_bytes == transfer->size_bytes) {
    transfer->ended_at = c->event_at;
    transfer->state = d->timing->sanitizer != NULL ? PS_DMA_UNSEEN : PS_DMA_IDLE;
    record(d, c, channel);
  }
  layout_of(c)->moved(d, c, channel);
}

static ps_dma_controller *next_controller(const ps_dma *d) {
  ps_dma_controller *next = NULL;
  uint64_t index;
  for (index = 0; index < d->controller_count; ++index) {
    ps_dma_controller *c = &d->controllers[index];
    if (c->current >= 0 && (next == NULL || c->event_at < next->event_at)) {
      next = c;
    }
  }
  return next;
}

void ps_dma_advance_to(ps_timing *t, uint64_t until) {
  ps_dma *d = t->dma;
  for (;;) {
    ps_dma_controller *c = next_controller(d);
    t->next_event = c == NULL ? NEVER : c->event_at;
    if (c == NULL || c->event_at > until || t->has_failed) {
      return;
    }
    if (!ps_dma_pass_burst(d, c)) {
      end_round(d, c);
      begin_round(c, c->event_at);
    }
  }
}

void ps_dma_advance(ps_timing *t) { ps_dma_advance_to(t, t->now); }

static int is_aligned(ps_dma *d, const ps_dma_controller *c, uint32_t channel,
                      const ps_dma_side *side, uint32_t size_bytes) {
  if (side->address % side->width_bytes == 0u && size_bytes % side->width_bytes == 0u) {
    return 1;
  }
  ps_dma_misuse(d, c, channel, side->address, "address or size is no multiple of the item's width");
  return 0;
}

/* Starts the transfer that a channel describes; 0 when the controller cannot make it. */
int ps_dma_starts(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_timing *t = d->timing;
  ps_dma_transfer *transfer = &c->channels[channel].transfer;
  if (transfer->state != PS_DMA_IDLE) {
    ps_dma_misuse(d, c, channel, transfer->source.address,
                  "nobody has looked whether the channel's transfer before is complete");
    return 0;
  }
  transfer->source.start = transfer->source.address;
  transfer->destination.start = transfer->destination.address;
  transfer->source.window = ps_dma_window(d, transfer->source.address);
  transfer->destination.window = ps_dma_window(d, transfer->destination.address);
  transfer->done_bytes = 0;
  transfer->slot = t->slot;
  transfer->started_at = ps_here(t);
  transfer->ended_at = 0;
  if (!is_aligned(d, c, channel, &transfer->source, transfer->size_bytes) ||
      !is_aligned(d, c, channel, &transfer->destination, transfer->size_bytes) ||
      !reaches(d, c, channel, &transfer->source, transfer->size_bytes, 0) ||
      !reaches(d, c, channel, &transfer->destination, transfer->size_bytes, 1) ||
      (t->sanitizer != NULL && !ps_sanitize_start(d, c, channel))) {
    transfer->state = PS_DMA_IDLE;
    return 0;
  }
  transfer->state = PS_DMA_RUNNING;
  if (c->current < 0) {
    begin_round(c, ps_here(t));
    t->next_event = next_controller(d)->event_at;
  }
  return 1;
}

void ps_dma_stop(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_dma_transfer *transfer = &c->channels[channel].transfer;
  if (transfer->state == PS_DMA_RUNNING) {
    transfer->ended_at = ps_here(d->timing);
    transfer->state = d->timing->sanitizer != NULL ? PS_DMA_UNSEEN : PS_DMA_IDLE;
    record(d, c, channel);
  }
}

void ps_dma_seen(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  if (c->channels[channel].transfer.state == PS_DMA_UNSEEN) {
    ps_sanitize_seen(d, c, channel);
  }
}

static ps_dma_controller *controller_at(const ps_dma *d, uint32_t address) {
  ps_dma_controller *found = NULL;
  uint64_t index;
  for (index = 0; index < d->controller_count; ++index) {
    ps_dma_controller *c = &d->controllers[index];
    if ((c->base ^ address) >> PS_PAGE_SHIFT == 0u && c->base <= address &&
        (found == NULL || c->base > found->base)) {
      found = c;
    }
  }
  return found;
}

static int has_clock(ps_dma *d, const ps_dma_controller *c, uint32_t address) {
  if (c->clock_enable == NULL || (*c->clock_enable & c->clock_enable_mask) != 0u) {
    return 1;
  }
  ps_dma_misuse(d, c, 0, address, "its registers are used before its clock is on");
  return 0;
}

/* Parts of registers are written into what the rest holds. */
static uint32_t merge(uint32_t old, uint32_t address, uint32_t size_bytes, uint32_t value) {
  const uint32_t shift = 8u * (address & (PS_WORD_BYTES - 1u));
  const uint32_t mask = size_bytes >= PS_WORD_BYTES ? UINT32_MAX : ((1u << 8u * size_bytes) - 1u);
  return (old & ~(mask << shift)) | (value & mask) << shift;
}

void ps_dma_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                   uint32_t value) {
  ps_dma *d = t->dma;
  ps_dma_controller *c = controller_at(d, address);
  const uint32_t word = address & ~(uint32_t)(PS_WORD_BYTES - 1);
  uint32_t held = 0;
  if (c == NULL) {
    return;
  }
  ps_catch_up(t, ps_here(t));
  if (has_clock(d, c, address)) {
    if (!is_write || size_bytes < PS_WORD_BYTES) {
      held = layout_of(c)->read(d, c, word - c->base);
    }
    if (is_write) {
      layout_of(c)->write(d, c, word - c->base, merge(held, address, size_bytes, value));
    }
  }
  memcpy(c->page + (word & PAGE_MASK), &held, sizeof held);
}
