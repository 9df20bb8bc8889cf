/* How bursts of DMA controllers pass the memories' ports, and how the core passes between them.
 *
 * A burst takes its port when it asks for it, not before: who comes first, goes first. */
#include "dma.h"

static const uint64_t NOT_YET = UINT64_MAX;

/* Returns how long the data of some bytes take where a word takes so long. */
static int64_t share_of(int64_t word, uint32_t bytes) {
  return word * (int64_t)bytes / PS_WORD_BYTES;
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

/* The controller's own part of an item comes before it asks for the memory. */
static uint64_t request(const ps_dma_controller *c, uint64_t start) {
  return start + (uint64_t)(c->item - c->clock);
}

/* Keeps a memory busy for one burst that has asked for it; returns when it is done. */
static uint64_t occupy(ps_dma *d, const ps_dma_controller *c, const ps_dma_side *side,
                       const ps_dma_leg *leg, uint32_t bytes, int is_write) {
  ps_memory *memory = &d->timing->memories[side->window->memory];
  ps_dma_port *port = &d->ports[side->window->memory];
  const uint32_t address = side->address + (uint32_t)side->step * leg->done_bytes;
  const uint64_t beats = bytes / side->width_bytes;
  const uint64_t bus = beats * (uint64_t)c->clock;
  const uint64_t begin = leg->at > memory->free_at ? leg->at : memory->free_at;
  int64_t own = share_of(is_write ? port->word_write : port->word_read, bytes);
  uint64_t end;
  if (!is_write && port->prefetch_bytes != 0u) {
    end = read_ahead(port, memory, address, bytes, begin);
  } else {
    own += is_write ? 0 : beats > 1u ? port->burst_read : port->single_read;
    end = begin + (uint64_t)(own + ps_open_row(memory, address));
  }
  end = end > begin + bus ? end : begin + bus;
  port->busy_until = end;
  memory->free_at = end;
  return end;
}

/* Whole bursts first, then single items. */
static void pass(ps_dma *d, const ps_dma_controller *c, const ps_dma_side *side, ps_dma_leg *leg,
                 int is_write) {
  const uint32_t left = c->round_bytes - leg->done_bytes;
  const uint32_t bytes = left >= side->burst_bytes ? side->burst_bytes : side->width_bytes;
  const uint64_t end = occupy(d, c, side, leg, bytes, is_write);
  leg->done_bytes += bytes;
  leg->at = leg->done_bytes < c->round_bytes ? request(c, end) : end;
}

static int is_passed(const ps_dma_controller *c, const ps_dma_leg *leg) {
  return leg->done_bytes >= c->round_bytes;
}

/* The next burst of either side; when there is none, the end of the last. */
static uint64_t next_event(const ps_dma_controller *c) {
  const uint64_t read_at = c->reading.at;
  const uint64_t write_at = c->writing.at;
  if (is_passed(c, &c->reading) == is_passed(c, &c->writing)) {
    return is_passed(c, &c->reading) == (read_at > write_at) ? read_at : write_at;
  }
  return is_passed(c, &c->reading) ? write_at : read_at;
}

void ps_dma_begin_bursts(ps_dma_controller *c, int overlaps, uint64_t start) {
  c->reading.done_bytes = 0;
  c->reading.at = request(c, start);
  c->writing.done_bytes = 0;
  c->writing.at = overlaps ? request(c, start) : NOT_YET;
  c->event_at = c->reading.at;
}

int ps_dma_pass_burst(ps_dma *d, ps_dma_controller *c) {
  const ps_dma_transfer *transfer = &c->channels[c->current].transfer;
  if (!is_passed(c, &c->reading) && c->reading.at == c->event_at) {
    pass(d, c, &transfer->source, &c->reading, 0);
    if (is_passed(c, &c->reading) && c->writing.at == NOT_YET) {
      c->writing.at = request(c, c->reading.at);
    }
  } else if (!is_passed(c, &c->writing)) {
    pass(d, c, &transfer->destination, &c->writing, 1);
  } else {
    return 0;
  }
  c->event_at = next_event(c);
  return 1;
}

void ps_dma_contend(ps_timing *t, const ps_zone *zone) {
  const ps_memory *memory = &t->memories[zone->memory];
  const int is_cached = zone->is_cached && t->data_cache.is_enabled;
  const uint64_t here = ps_here(t);
  uint64_t busy_until;
  ps_catch_up(t, here);
  if (is_cached || memory->is_tightly_coupled || zone->is_accelerated || memory->word_read != 0) {
    return; /* two ways in, or its own time contains the wait */
  }
  busy_until = t->dma->ports[zone->memory].busy_until;
  if (busy_until > here) {
    ps_stall(t, PS_CAUSE_INTERNAL, busy_until - here);
  }
}

uint64_t ps_read_beside(ps_timing *t, ps_memory *memory, uint64_t now, int64_t cost) {
  uint64_t end = now + (uint64_t)cost;
  if (t->next_event != UINT64_MAX) {
    uint64_t busy_until;
    ps_catch_up(t, now);
    busy_until = t->dma->ports[memory - t->memories].busy_until;
    end += busy_until > now ? busy_until - now : 0u;
    memory->free_at = memory->free_at > end ? memory->free_at : end;
  }
  return end;
}
