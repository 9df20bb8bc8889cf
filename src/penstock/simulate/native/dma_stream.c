/* DMA1 and DMA2 of STM32F4, F7 and H7: streams. ST RM0385 and RM0090, chapter "DMA controller". */
#include <stddef.h>

#include "dma.h"

enum { LISR = 0x00, HISR = 0x04, LIFCR = 0x08, HIFCR = 0x0C, STREAMS = 0x10, STREAM_BYTES = 0x18 };
enum { CR = 0, NDTR = 1, PAR = 2, M0AR = 3, M1AR = 4, FCR = 5 };
enum { STREAMS_PER_STATUS = 4, FLAG_BITS = 0x3D };
enum { FLAG_FEIF = 1 << 0, FLAG_TEIF = 1 << 3, FLAG_HTIF = 1 << 4,
       FLAG_TCIF = 1 << 5 };
enum { CR_EN = 1 << 0, CR_TEIE = 1 << 2, CR_HTIE = 1 << 3, CR_TCIE = 1 << 4, CR_CIRC = 1 << 8,
       CR_PINC = 1 << 9, CR_MINC = 1 << 10, CR_DBM = 1 << 18, CR_INTERRUPTS = 0x1E };
enum { DIRECTION_MEMORY_TO_MEMORY = 2 };
enum { FCR_FEIE = 1 << 7, FCR_RESET = 0x21, FCR_WRITABLE = 0x87 };
enum { FIFO_QUARTERS = 4, FIFO_EMPTY = 4 << 3, BURST_BOUNDARY = 1024, ITEMS_MASK = 0xFFFF };

static const uint32_t STATUS_SHIFTS[STREAMS_PER_STATUS] = {0, 6, 16, 22};
static const uint32_t BURST_BEATS[4] = {1, 4, 8, 16};

static void update_interrupt(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  const ps_dma_channel *stream = &c->channels[channel];
  const uint32_t enables = stream->registers[CR];
  const uint32_t is_asserted = ((enables & CR_TCIE) != 0u && (stream->flags & FLAG_TCIF) != 0u) ||
                               ((enables & CR_HTIE) != 0u && (stream->flags & FLAG_HTIF) != 0u) ||
                               ((enables & CR_TEIE) != 0u && (stream->flags & FLAG_TEIF) != 0u) ||
                               ((stream->registers[FCR] & FCR_FEIE) != 0u &&
                                (stream->flags & FLAG_FEIF) != 0u);
  ps_interrupt_assert(d, c->interrupts[channel], is_asserted != 0u);
}

static void disable(ps_dma *d, ps_dma_controller *c, uint32_t channel, uint32_t flags) {
  c->channels[channel].registers[CR] &= ~(uint32_t)CR_EN;
  c->channels[channel].flags |= flags;
  update_interrupt(d, c, channel);
}

static void set_side(ps_dma_side *side, uint32_t address, uint32_t size, uint32_t burst,
                     int increments) {
  side->address = address;
  side->width_bytes = 1u << size;
  side->burst_bytes = side->width_bytes * BURST_BEATS[burst];
  side->step = increments ? 1 : 0;
}

/* A burst of a whole number of items that the FIFO can hold at its threshold. */
static int fits_threshold(const ps_dma_controller *c, uint32_t control, const ps_dma_side *memory) {
  const uint32_t threshold = ((control & 3u) + 1u) * c->fifo_bytes / FIFO_QUARTERS;
  return memory->burst_bytes == memory->width_bytes || threshold % memory->burst_bytes == 0u;
}

static int crosses_boundary(const ps_dma_side *side) {
  return side->burst_bytes > side->width_bytes && side->step != 0 &&
         (BURST_BOUNDARY % side->burst_bytes != 0u || side->address % side->burst_bytes != 0u);
}

/* Returns what is wrong with a stream's set-up, or a null pointer. */
static const char *problem(const ps_dma_controller *c, const ps_dma_channel *stream) {
  const uint32_t control = stream->registers[CR];
  if ((control >> 6 & 3u) != DIRECTION_MEMORY_TO_MEMORY) {
    return "no peripheral is modelled that could ask for the transfer";
  }
  if (!c->copies_memory) {
    return "this controller does not copy from memory to memory";
  }
  if ((control & (CR_CIRC | CR_DBM)) != 0u) {
    return "circular and double-buffer mode do not go with memory to memory";
  }
  if ((control >> 11 & 3u) == 3u || (control >> 13 & 3u) == 3u) {
    return "PSIZE or MSIZE is reserved";
  }
  if (stream->registers[NDTR] == 0u) {
    return "NDTR is 0";
  }
  if (stream->flags != 0u) {
    return "a flag of the transfer before is still set";
  }
  return NULL;
}

static void enable(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_dma_channel *stream = &c->channels[channel];
  ps_dma_transfer *transfer = &stream->transfer;
  const uint32_t control = stream->registers[CR];
  const char *what = problem(c, stream);
  if (what != NULL) {
    ps_dma_misuse(d, c, channel, stream->registers[PAR], what);
    disable(d, c, channel, 0);
    return;
  }
  set_side(&transfer->source, stream->registers[PAR], control >> 11 & 3u, control >> 21 & 3u,
           (control & CR_PINC) != 0u);
  set_side(&transfer->destination, stream->registers[M0AR], control >> 13 & 3u,
           control >> 23 & 3u, (control & CR_MINC) != 0u);
  transfer->size_bytes = stream->registers[NDTR] * transfer->source.width_bytes;
  transfer->fifo_bytes = c->fifo_bytes;
  transfer->priority = control >> 16 & 3u;
  if (!fits_threshold(c, stream->registers[FCR], &transfer->destination) ||
      transfer->source.burst_bytes > c->fifo_bytes) {
    ps_dma_misuse(d, c, channel, transfer->destination.address,
                  "the FIFO's threshold holds no whole number of bursts");
    disable(d, c, channel, FLAG_FEIF);
  } else if (crosses_boundary(&transfer->source) || crosses_boundary(&transfer->destination)) {
    ps_dma_misuse(d, c, channel, transfer->source.address, "a burst crosses a boundary of 1 KiB");
    disable(d, c, channel, FLAG_TEIF);
  } else if (!ps_dma_starts(d, c, channel)) {
    disable(d, c, channel, FLAG_TEIF);
  }
}

static void write_control(ps_dma *d, ps_dma_controller *c, uint32_t channel, uint32_t value) {
  uint32_t *control = &c->channels[channel].registers[CR];
  const uint32_t was_enabled = *control & CR_EN;
  if (was_enabled == 0u) {
    *control = value;
  } else { /* all but the enables are protected while it runs */
    *control = (*control & ~(uint32_t)(CR_INTERRUPTS | CR_EN)) | (value & (CR_INTERRUPTS | CR_EN));
  }
  if (was_enabled == 0u && (value & CR_EN) != 0u) {
    enable(d, c, channel);
  } else if (was_enabled != 0u && (value & CR_EN) == 0u) {
    ps_dma_stop(d, c, channel);
    c->channels[channel].flags |= FLAG_TCIF;
  }
  update_interrupt(d, c, channel);
}

static void write_stream(ps_dma *d, ps_dma_controller *c, uint32_t channel, uint32_t number,
                         uint32_t value) {
  ps_dma_channel *stream = &c->channels[channel];
  if (number == CR) {
    write_control(d, c, channel, value);
  } else if ((stream->registers[CR] & CR_EN) != 0u) {
    ps_dma_misuse(d, c, channel, stream->registers[PAR], "a running stream is set up anew");
  } else if (number == FCR) {
    stream->registers[FCR] = (value & FCR_WRITABLE) | FIFO_EMPTY;
  } else {
    stream->registers[number] = number == NDTR ? value & ITEMS_MASK : value;
  }
}

static void write(ps_dma *d, ps_dma_controller *c, uint32_t offset, uint32_t value) {
  const uint32_t channel = (offset - STREAMS) / STREAM_BYTES;
  uint32_t index;
  if (offset >= STREAMS && channel < c->channel_count) {
    write_stream(d, c, channel, (offset - STREAMS) % STREAM_BYTES / 4u, value);
  }
  if (offset != LIFCR && offset != HIFCR) {
    return;
  }
  for (index = 0; index < STREAMS_PER_STATUS; ++index) {
    const uint32_t cleared = (offset == HIFCR ? STREAMS_PER_STATUS : 0u) + index;
    c->channels[cleared].flags &= ~(value >> STATUS_SHIFTS[index] & FLAG_BITS);
    update_interrupt(d, c, cleared);
  }
}

static uint32_t read_status(ps_dma *d, ps_dma_controller *c, uint32_t first) {
  uint32_t value = 0;
  uint32_t index;
  for (index = 0; index < STREAMS_PER_STATUS; ++index) {
    ps_dma_seen(d, c, first + index);
    value |= c->channels[first + index].flags << STATUS_SHIFTS[index];
  }
  return value;
}

static uint32_t read(ps_dma *d, ps_dma_controller *c, uint32_t offset) {
  const uint32_t channel = (offset - STREAMS) / STREAM_BYTES;
  const uint32_t number = (offset - STREAMS) % STREAM_BYTES / 4u;
  if (offset == LISR || offset == HISR) {
    return read_status(d, c, offset == HISR ? STREAMS_PER_STATUS : 0u);
  }
  if (offset < STREAMS || channel >= c->channel_count) {
    return 0;
  }
  if (number == CR || number == NDTR) {
    ps_dma_seen(d, c, channel);
  }
  if (number == FCR && c->channels[channel].registers[FCR] == 0u) {
    return FCR_RESET;
  }
  return c->channels[channel].registers[number];
}

static void moved(ps_dma *d, ps_dma_controller *c, uint32_t channel) {
  ps_dma_channel *stream = &c->channels[channel];
  const ps_dma_transfer *transfer = &stream->transfer;
  const uint32_t left = transfer->size_bytes - transfer->done_bytes;
  stream->registers[NDTR] = left / transfer->source.width_bytes;
  if (left <= transfer->size_bytes / 2u) {
    stream->flags |= FLAG_HTIF;
  }
  if (left == 0u) {
    disable(d, c, channel, FLAG_TCIF);
  }
  update_interrupt(d, c, channel);
}

const ps_dma_layout ps_dma_stream_layout = {read, write, moved};
