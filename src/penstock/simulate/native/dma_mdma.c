/* The master DMA of STM32H7: ST RM0433, chapter "MDMA controller". */
#include <string.h>

#include "dma.h"

enum { GISR0 = 0x00, CHANNELS = 0x40, CHANNEL_BYTES = 0x40 };
enum { CISR = 0, CIFCR = 1, CCR = 3, CTCR = 4, CBNDTR = 5, CSAR = 6, CDAR = 7, CBRUR = 8,
       CLAR = 9, CTBR = 10, CMAR = 12, CMDR = 13, REGISTER_COUNT = 16 };
enum { FLAG_TEIF = 1 << 0, FLAG_CTCIF = 1 << 1, FLAG_BRTIF = 1 << 2, FLAG_BTIF = 1 << 3,
       FLAG_TCIF = 1 << 4, FLAGS = 0x1F, CRQA = 1 << 16 };
enum { CCR_EN = 1 << 0, CCR_SWRQ = 1 << 16 };
enum { BLOCK_MASK = 0x1FFFF, REPEATS_SHIFT = 20 };
enum { TRIGGER_BUFFER = 0, TRIGGER_BLOCK = 1, TRIGGER_REPEATED = 2, TRIGGER_LIST = 3 };
enum { TCM_WIDTH_MAX = 2 };
enum { CBNDTR_BRSUM = 1 << 18, CBNDTR_BRDUM = 1 << 19 };

static uint32_t trigger_of(const ps_dma_channel *channel) {
  return channel->registers[CTCR] >> 28 & 3u;
}

/* All channels share one interrupt. */
static void update_interrupt(ps_dma *d, ps_dma_controller *c) {
  uint32_t asserted = 0;
  uint32_t index;
  for (index = 0; index < c->channel_count; ++index) {
    const ps_dma_channel *channel = &c->channels[index];
    asserted |= channel->registers[CCR] >> 1 & channel->flags & FLAGS;
  }
  ps_interrupt_assert(d, c->interrupts[0], asserted != 0u);
}

static void fail(ps_dma *d, ps_dma_controller *c, uint32_t number, const char *what) {
  ps_dma_channel *channel = &c->channels[number];
  if (what != NULL) {
    ps_dma_misuse(d, c, number, channel->registers[CSAR], what);
  }
  channel->registers[CCR] &= ~(uint32_t)CCR_EN;
  channel->flags |= FLAG_TEIF;
  update_interrupt(d, c);
}

static void set_side(ps_dma_side *side, uint32_t address, uint32_t increment, uint32_t size,
                     uint32_t burst, uint32_t buffer_bytes) {
  side->address = address;
  side->step = increment == 2u ? 1 : increment == 3u ? -1 : 0;
  side->width_bytes = 1u << size;
  side->burst_bytes = side->width_bytes << burst;
  while (side->burst_bytes > buffer_bytes && side->burst_bytes > side->width_bytes) {
    side->burst_bytes /= 2u;
  }
}

/* A tightly coupled memory is on a bus of its own, 32 bits wide, that has to be selected. */
static const char *bus_problem(const ps_dma *d, uint32_t address, uint32_t selects_tcm,
                               uint32_t size) {
  const ps_window *window = ps_dma_window(d, address);
  if (window != NULL && window->is_tightly_coupled != selects_tcm) {
    return selects_tcm ? "SBUS or DBUS selects the TCM for a memory on the AXI bus"
                       : "SBUS or DBUS does not select the TCM's bus for a TCM";
  }
  return selects_tcm && size > TCM_WIDTH_MAX ? "items of 8 bytes do not fit the TCM's bus" : NULL;
}

static const char *problem(const ps_dma *d, const ps_dma_channel *channel) {
  const uint32_t control = channel->registers[CTCR];
  const uint32_t source_size = control >> 4 & 3u;
  const uint32_t destination_size = control >> 6 & 3u;
  const uint32_t buses = channel->registers[CTBR] >> 16;
  const uint32_t buffer_bytes = (control >> 18 & 0x7Fu) + 1u;
  const char *source = bus_problem(d, channel->registers[CSAR], buses & 1u, source_size);
  if ((control >> 30 & 1u) == 0u) {
    return "no peripheral is modelled that could ask for the transfer: SWRM is 0";
  }
  if ((control & 3u) == 1u || (control >> 2 & 3u) == 1u) {
    return "SINC or DINC is reserved";
  }
  if ((control >> 8 & 3u) != source_size || (control >> 10 & 3u) != destination_size) {
    return "SINCOS or DINCOS differs from the item's width, which is not modelled";
  }
  if (source_size != destination_size && (control >> 25 & 1u) == 0u) {
    return "widths differ without PKE, which is not modelled";
  }
  if (buffer_bytes % (1u << source_size) != 0u || buffer_bytes % (1u << destination_size) != 0u) {
    return "TLEN + 1 is no multiple of the items' widths";
  }
  return source != NULL
             ? source
             : bus_problem(d, channel->registers[CDAR], buses >> 1 & 1u, destination_size);
}

/* Starts what one request moves: a buffer, or what is left of the block. */
static void request(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  ps_dma_transfer *transfer = &channel->transfer;
  const uint32_t *r = channel->registers;
  const uint32_t control = r[CTCR];
  const uint32_t buffer_bytes = (control >> 18 & 0x7Fu) + 1u;
  const uint32_t left = r[CBNDTR] & BLOCK_MASK;
  const char *what = problem(d, channel);
  if (what == NULL && (left == 0u || left > c->items_max)) {
    what = "BNDT is 0 or more than a block has";
  }
  if (what != NULL) {
    fail(d, c, number, what);
    return;
  }
  set_side(&transfer->source, r[CSAR], control & 3u, control >> 4 & 3u, control >> 12 & 7u,
           buffer_bytes);
  set_side(&transfer->destination, r[CDAR], control >> 2 & 3u, control >> 6 & 3u,
           control >> 15 & 7u, buffer_bytes);
  transfer->size_bytes =
      trigger_of(channel) == TRIGGER_BUFFER && left > buffer_bytes ? buffer_bytes : left;
  transfer->priority = r[CCR] >> 6 & 3u;
  transfer->fifo_bytes = c->fifo_bytes;
  if (!ps_dma_starts(d, c, number)) {
    fail(d, c, number, NULL);
  }
}

/* The next of several blocks starts an offset behind, or before, where this one ended. */
static uint32_t moved_by(uint32_t address, uint32_t offset, uint32_t goes_back) {
  return goes_back ? address - offset : address + offset;
}

static void repeat_block(ps_dma_channel *channel, uint32_t block_bytes) {
  uint32_t *r = channel->registers;
  const uint32_t count = (r[CBNDTR] >> REPEATS_SHIFT) - 1u;
  r[CSAR] = moved_by(r[CSAR], r[CBRUR] & 0xFFFFu, r[CBNDTR] & CBNDTR_BRSUM);
  r[CDAR] = moved_by(r[CDAR], r[CBRUR] >> 16, r[CBNDTR] & CBNDTR_BRDUM);
  r[CBNDTR] = (r[CBNDTR] & (CBNDTR_BRSUM | CBNDTR_BRDUM)) | count << REPEATS_SHIFT | block_bytes;
}

/* Loads the next entry of a linked list: the registers from CTCR to CMDR, in their order. */
static int load_entry(ps_dma *d, ps_dma_channel *channel) {
  static const uint8_t ORDER[] = {CTCR, CBNDTR, CSAR, CDAR, CBRUR, CLAR, CTBR, 11, CMAR, CMDR};
  const uint32_t address = channel->registers[CLAR];
  const ps_window *window = ps_dma_window(d, address);
  uint32_t index;
  if (window == NULL || address - window->base > window->size_bytes - 4u * sizeof ORDER) {
    return 0;
  }
  for (index = 0; index < sizeof ORDER; ++index) {
    memcpy(&channel->registers[ORDER[index]], window->bytes + (address - window->base) + 4u * index,
           sizeof(uint32_t));
  }
  return 1;
}

/* A block is complete: goes on with the next, of the same entry or of the list's next one. */
static void end_block(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  const uint32_t trigger = trigger_of(channel);
  channel->flags |= FLAG_BTIF | FLAG_TCIF;
  if (channel->registers[CBNDTR] >> REPEATS_SHIFT != 0u) {
    repeat_block(channel, channel->transfer.size_bytes);
    if (trigger >= TRIGGER_REPEATED) {
      ps_dma_seen(d, c, number);
      request(d, c, number);
    }
    return;
  }
  channel->flags |= FLAG_BRTIF;
  if (channel->registers[CLAR] == 0u) {
    channel->flags |= FLAG_CTCIF;
    channel->registers[CCR] &= ~(uint32_t)CCR_EN;
  } else if (!load_entry(d, channel)) {
    fail(d, c, number, "CLAR points to no memory");
  } else if (trigger == TRIGGER_LIST) {
    ps_dma_seen(d, c, number);
    request(d, c, number);
  }
}

static void moved(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  const ps_dma_transfer *transfer = &channel->transfer;
  uint32_t *r = channel->registers;
  r[CSAR] = transfer->source.address;
  r[CDAR] = transfer->destination.address;
  r[CBNDTR] -= c->round_bytes;
  if (transfer->done_bytes == transfer->size_bytes) {
    channel->flags |= FLAG_TCIF;
    if ((r[CBNDTR] & BLOCK_MASK) == 0u) {
      end_block(d, c, number);
    }
  }
  update_interrupt(d, c);
}

static void write_control(ps_dma *d, ps_dma_controller *c, uint32_t number, uint32_t value) {
  ps_dma_channel *channel = &c->channels[number];
  const uint32_t was_enabled = channel->registers[CCR] & CCR_EN;
  channel->registers[CCR] = value & ~(uint32_t)CCR_SWRQ;
  if (was_enabled != 0u && (value & CCR_EN) == 0u) {
    ps_dma_stop(d, c, number);
    channel->flags |= FLAG_CTCIF;
  } else if ((value & CCR_EN) != 0u && (value & CCR_SWRQ) != 0u &&
             channel->transfer.state != PS_DMA_RUNNING) {
    request(d, c, number);
  }
  update_interrupt(d, c);
}

static void write(ps_dma *d, ps_dma_controller *c, uint32_t offset, uint32_t value) {
  const uint32_t number = (offset - CHANNELS) / CHANNEL_BYTES;
  const uint32_t index = (offset - CHANNELS) % CHANNEL_BYTES / 4u;
  ps_dma_channel *channel;
  if (offset < CHANNELS || number >= c->channel_count) {
    return;
  }
  channel = &c->channels[number];
  if (index == CIFCR) {
    channel->flags &= ~(value & FLAGS);
    update_interrupt(d, c);
  } else if (index == CCR) {
    write_control(d, c, number, value);
  } else if (index >= CTCR && (channel->registers[CCR] & CCR_EN) != 0u) {
    ps_dma_misuse(d, c, number, channel->registers[CSAR], "an enabled channel is set up anew");
  } else if (index >= CTCR) {
    channel->registers[index] = value;
  }
}

static uint32_t read(ps_dma *d, ps_dma_controller *c, uint32_t offset) {
  const uint32_t number = (offset - CHANNELS) / CHANNEL_BYTES;
  const uint32_t index = (offset - CHANNELS) % CHANNEL_BYTES / 4u;
  uint32_t value = 0;
  uint32_t channel;
  if (offset == GISR0) {
    for (channel = 0; channel < c->channel_count; ++channel) {
      const ps_dma_channel *one = &c->channels[channel];
      ps_dma_seen(d, c, channel);
      value |= ((one->registers[CCR] >> 1 & one->flags & FLAGS) != 0u ? 1u : 0u) << channel;
    }
    return value;
  }
  if (offset < CHANNELS || number >= c->channel_count) {
    return 0;
  }
  if (index == CISR || index == CCR || index == CBNDTR) {
    ps_dma_seen(d, c, number);
  }
  if (index == CISR) {
    return c->channels[number].flags |
           (c->channels[number].transfer.state == PS_DMA_RUNNING ? (uint32_t)CRQA : 0u);
  }
  return c->channels[number].registers[index];
}

const ps_dma_layout ps_dma_mdma_layout = {read, write, moved};
