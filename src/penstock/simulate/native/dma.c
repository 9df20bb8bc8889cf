#include "dma.h"

#include <stdlib.h>
#include <string.h>

#include "sanitizer.h"

enum { PAGE_MASK = 0xFFF, WORD_BYTES = 4 };
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
  } else if (side->step > 0 && extent > window->base + window->size_bytes - side->start) {
    what = "the transfer runs over the end of the memory";
  } else if (side->step < 0 && extent > side->start - window->base + side->width_bytes) {
    what = "the transfer runs over the start of the memory";
  }
  if (what != NULL && d->timing->sanitizer != NULL) {
    ps_sanitize_misuse(d, c, channel, side->start, PS_FAULT_REACH, what);
  }
  return what == NULL;
}

/* Returns how long the data of some bytes take where a word takes so long. */
static int64_t share_of(int64_t word, uint32_t bytes) {
  return word * (int64_t)bytes / WORD_BYTES;
}

/* A memory that reads ahead has had time to while nobody asked. */
static uint64_t read_ahead(ps_dma_port *port, ps_memory *memory, uint32_t address, uint32_t bytes,
                           uint64_t begin) {
  const uint64_t ahead = (uint64_t)share_of(port->word_read, port->prefetch_bytes);
  const int64_t own = share_of(port->word_read, bytes);
  uint64_t ready = begin + (uint64_t)(port->burst_read + own);
  if (memory->continues_at == (uint64_t)address) {
    const uint64_t since = begin > ahead ? begin - ahead : 0u;
    ready = (port->ready_at > since ? port->ready_at : since) + (uint64_t)own;
  }
  memory->continues_at = (uint64_t)address + bytes;
  port->ready_at = ready;
  return ready;
}

/* One burst at one side; returns when it is done. The controller's own part comes first, and only
 * the data keep the memory busy. */
static uint64_t pass_burst(ps_dma *d, const ps_dma_controller *c, const ps_dma_side *side,
                           uint32_t address, uint32_t bytes, int is_write, uint64_t start) {
  ps_memory *memory = &d->timing->memories[side->window->memory];
  ps_dma_port *port = &d->ports[side->window->memory];
  const uint64_t beats = bytes / side->width_bytes;
  const uint64_t bus = beats * (uint64_t)c->clock;
  const uint64_t request = start + (uint64_t)(c->item - c->clock);
  const uint64_t begin = request > memory->free_at ? request : memory->free_at;
  int64_t own = share_of(is_write ? port->word_write : port->word_read, bytes);
  uint64_t end;
  if (!is_write && port->prefetch_bytes != 0u) {
    end = read_ahead(port, memory, address, bytes, begin);
  } else {
    own += is_write ? 0 : beats > 1u ? port->burst_read : port->single_read;
    end = begin + (uint64_t)(own + ps_open_row(memory, address));
  }
  end = end > begin + bus ? end : begin + bus;
  port->busy_from = begin;
  memory->free_at = end;
  return end;
}

/* The bytes of one round at one side: whole bursts, then single items. */
static uint64_t pass(ps_dma *d, const ps_dma_controller *c, const ps_dma_side *side,
                     uint32_t bytes, int is_write, uint64_t start) {
  const uint32_t step = side->step != 0 ? 1u : 0u;
  uint32_t done = 0;
  while (done < bytes) {
    const uint32_t size = bytes - done >= side->burst_bytes ? side->burst_bytes : side->width_bytes;
    start = pass_burst(d, c, side, side->address + step * done, size, is_write, start);
    done += size;
  }
  return start;
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

static void begin_round(ps_dma *d, ps_dma_controller *c, uint64_t start) {
  ps_dma_transfer *transfer;
  uint32_t bytes;
  uint64_t read_end;
  uint64_t write_start;
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
  read_end = pass(d, c, &transfer->source, bytes, 0, start);
  /* With room for two rounds, one is written while the next is read. */
  write_start = 2u * bytes <= transfer->fifo_bytes ? start : read_end;
  c->round_end = pass(d, c, &transfer->destination, bytes, 1, write_start);
  c->round_end = c->round_end > read_end ? c->round_end : read_end;
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
    transfer->ended_at = c->round_end;
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
    if (c->current >= 0 && (next == NULL || c->round_end < next->round_end)) {
      next = c;
    }
  }
  return next;
}

void ps_dma_advance(ps_timing *t) {
  ps_dma *d = t->dma;
  for (;;) {
    ps_dma_controller *c = next_controller(d);
    t->next_event = c == NULL ? NEVER : c->round_end;
    if (c == NULL || c->round_end > t->now || t->has_failed) {
      return;
    }
    end_round(d, c);
    begin_round(d, c, c->round_end);
  }
}

void ps_dma_contend(ps_timing *t, const ps_zone *zone) {
  ps_memory *memory = &t->memories[zone->memory];
  const int is_cached = zone->is_cached && t->data_cache.is_enabled;
  if (t->next_event <= t->now) {
    ps_dma_advance(t);
  }
  if (is_cached || memory->is_tightly_coupled || memory->word_read != 0) {
    return; /* two ways in, or its own time contains the wait */
  }
  if (memory->free_at > t->now && t->dma->ports[zone->memory].busy_from <= t->now) {
    ps_stall(t, PS_CAUSE_INTERNAL, memory->free_at - t->now);
  }
}

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
  transfer->started_at = t->now;
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
    begin_round(d, c, t->now);
    t->next_event = next_controller(d)->round_end;
  }
  return 1;
}

void ps_dma_stop(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_dma_transfer *transfer = &c->channels[channel].transfer;
  if (transfer->state == PS_DMA_RUNNING) {
    transfer->ended_at = d->timing->now;
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
  const uint32_t shift = 8u * (address & (WORD_BYTES - 1u));
  const uint32_t mask = size_bytes >= WORD_BYTES ? UINT32_MAX : ((1u << 8u * size_bytes) - 1u);
  return (old & ~(mask << shift)) | (value & mask) << shift;
}

void ps_dma_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                   uint32_t value) {
  ps_dma *d = t->dma;
  ps_dma_controller *c = controller_at(d, address);
  const uint32_t word = address & ~(uint32_t)(WORD_BYTES - 1);
  uint32_t held = 0;
  if (c == NULL) {
    return;
  }
  if (t->next_event <= t->now) {
    ps_dma_advance(t);
  }
  if (has_clock(d, c, address)) {
    if (!is_write || size_bytes < WORD_BYTES) {
      held = layout_of(c)->read(d, c, word - c->base);
    }
    if (is_write) {
      layout_of(c)->write(d, c, word - c->base, merge(held, address, size_bytes, value));
    }
  }
  memcpy(c->page + (word & PAGE_MASK), &held, sizeof held);
}
