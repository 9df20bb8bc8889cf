/* The general-purpose DMA of STM32U5: ST RM0456, chapter "GPDMA". */
#include <string.h>

#include "dma.h"

enum { MISR = 0x0C, CHANNELS = 0x50, CHANNEL_BYTES = 0x80 };
enum { LBAR = 0, FCR = 3, SR = 4, CR = 5, TR1 = 16, TR2 = 17, BR1 = 18, SAR = 19, DAR = 20,
       TR3 = 21, BR2 = 22, LLR = 31 };
enum { FLAG_IDLE = 1 << 0, FLAG_TC = 1 << 8, FLAG_HT = 1 << 9, FLAG_DTE = 1 << 10,
       FLAG_ULE = 1 << 11, FLAG_USE = 1 << 12, FLAGS = 0x7F00 };
enum { CR_EN = 1 << 0, CR_RESET = 1 << 1 };
enum { TR2_SWREQ = 1 << 9, BLOCK_MASK = 0xFFFF, LIST_MASK = 0xFFFC };
enum { FIRST_DEEP_CHANNEL = 12, DEEPER = 4 }; /* channels 12 to 15 have four times the FIFO */
enum { EVENT_AT_LAST_ENTRY = 3 };

static uint32_t fifo_bytes_of(const ps_dma_controller *c, uint32_t number) {
  return number >= FIRST_DEEP_CHANNEL ? DEEPER * c->fifo_bytes : c->fifo_bytes;
}

static void update_interrupt(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  const ps_dma_channel *channel = &c->channels[number];
  ps_interrupt_assert(d, c->interrupts[number],
                      (channel->registers[CR] & channel->flags & FLAGS) != 0u);
}

static void disable(ps_dma *d, ps_dma_controller *c, uint32_t number, uint32_t flags) {
  c->channels[number].registers[CR] &= ~(uint32_t)CR_EN;
  c->channels[number].flags |= flags;
  update_interrupt(d, c, number);
}

/* Longer bursts than half the FIFO are cut. */
static void set_side(ps_dma_side *side, uint32_t address, uint32_t control, uint32_t fifo_bytes) {
  side->address = address;
  side->width_bytes = 1u << (control & 3u);
  side->step = (control >> 3 & 1u) != 0u ? 1 : 0;
  side->burst_bytes = side->width_bytes * ((control >> 4 & 0x3Fu) + 1u);
  if (side->burst_bytes > fifo_bytes / 2u) {
    side->burst_bytes = fifo_bytes / 2u;
  }
}

static const char *problem(const ps_dma_channel *channel) {
  const uint32_t control = channel->registers[TR1];
  if ((channel->registers[TR2] & TR2_SWREQ) == 0u) {
    return "no peripheral is modelled that could ask for the transfer: SWREQ is 0";
  }
  if ((control & 3u) == 3u || (control >> 16 & 3u) == 3u) {
    return "SDW_LOG2 or DDW_LOG2 is reserved";
  }
  if ((control & 3u) != (control >> 16 & 3u) && (control >> 12 & 1u) == 0u) {
    return "widths differ without packing (PAM), which is not modelled";
  }
  return (channel->registers[BR1] & BLOCK_MASK) == 0u ? "BNDT is 0" : NULL;
}

static void start_block(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  ps_dma_transfer *transfer = &channel->transfer;
  const char *what = problem(channel);
  if (what != NULL) {
    ps_dma_misuse(d, c, number, channel->registers[SAR], what);
    disable(d, c, number, FLAG_USE);
    return;
  }
  transfer->fifo_bytes = fifo_bytes_of(c, number);
  set_side(&transfer->source, channel->registers[SAR], channel->registers[TR1],
           transfer->fifo_bytes);
  set_side(&transfer->destination, channel->registers[DAR], channel->registers[TR1] >> 16,
           transfer->fifo_bytes);
  transfer->size_bytes = channel->registers[BR1] & BLOCK_MASK;
  transfer->priority = channel->registers[CR] >> 22 & 3u;
  if (!ps_dma_starts(d, c, number)) {
    disable(d, c, number, FLAG_DTE);
  }
}

/* Loads what the link register names, in this order; 0 when the list is in no memory. */
static int load_entry(ps_dma *d, ps_dma_channel *channel, uint32_t number) {
  static const uint8_t BITS[] = {31, 30, 29, 28, 27, 26, 25, 16};
  static const uint8_t LOADED[] = {TR1, TR2, BR1, SAR, DAR, TR3, BR2, LLR};
  const uint32_t link = channel->registers[LLR];
  uint32_t address = (channel->registers[LBAR] & 0xFFFF0000u) | (link & LIST_MASK);
  uint32_t index;
  channel->registers[LLR] = 0;
  for (index = 0; index < sizeof BITS; ++index) {
    const ps_window *window = ps_dma_window(d, address);
    const int is_deep = LOADED[index] == TR3 || LOADED[index] == BR2;
    if ((link >> BITS[index] & 1u) == 0u || (is_deep && number < FIRST_DEEP_CHANNEL)) {
      continue;
    }
    if (window == NULL || address - window->base > window->size_bytes - 4u) {
      return 0;
    }
    memcpy(&channel->registers[LOADED[index]], window->bytes + (address - window->base),
           sizeof(uint32_t));
    address += 4u;
  }
  return 1;
}

static void end_block(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  const uint32_t event = channel->registers[TR2] >> 30;
  if (channel->registers[LLR] == 0u) {
    disable(d, c, number, FLAG_TC);
    return;
  }
  if (event != EVENT_AT_LAST_ENTRY) {
    channel->flags |= FLAG_TC;
  }
  ps_dma_seen(d, c, number);
  if (load_entry(d, channel, number)) {
    start_block(d, c, number);
  } else {
    ps_dma_misuse(d, c, number, channel->registers[LBAR], "the linked list is in no memory");
    disable(d, c, number, FLAG_ULE);
  }
}

static void moved(ps_dma *d, ps_dma_controller *c, uint32_t number) {
  ps_dma_channel *channel = &c->channels[number];
  const ps_dma_transfer *transfer = &channel->transfer;
  const uint32_t left = transfer->size_bytes - transfer->done_bytes;
  channel->registers[SAR] = transfer->source.address;
  channel->registers[DAR] = transfer->destination.address;
  channel->registers[BR1] = (channel->registers[BR1] & ~(uint32_t)BLOCK_MASK) | left;
  if (left <= transfer->size_bytes / 2u) {
    channel->flags |= FLAG_HT;
  }
  if (left == 0u) {
    end_block(d, c, number);
  }
  update_interrupt(d, c, number);
}

static void write_control(ps_dma *d, ps_dma_controller *c, uint32_t number, uint32_t value) {
  ps_dma_channel *channel = &c->channels[number];
  const uint32_t was_enabled = channel->registers[CR] & CR_EN;
  channel->registers[CR] = value & ~(uint32_t)CR_RESET;
  if ((value & CR_RESET) != 0u) {
    ps_dma_stop(d, c, number);
    disable(d, c, number, 0);
  } else if (was_enabled == 0u && (value & CR_EN) != 0u) {
    start_block(d, c, number);
  } else if (was_enabled != 0u) { /* only RESET ends a transfer */
    channel->registers[CR] |= CR_EN;
  }
  update_interrupt(d, c, number);
}

static void write(ps_dma *d, ps_dma_controller *c, uint32_t offset, uint32_t value) {
  const uint32_t number = (offset - CHANNELS) / CHANNEL_BYTES;
  const uint32_t index = (offset - CHANNELS) % CHANNEL_BYTES / 4u;
  ps_dma_channel *channel;
  if (offset < CHANNELS || number >= c->channel_count) {
    return;
  }
  channel = &c->channels[number];
  if (index == FCR) {
    channel->flags &= ~(value & FLAGS);
    update_interrupt(d, c, number);
  } else if (index == CR) {
    write_control(d, c, number, value);
  } else if (index != SR && (channel->registers[CR] & CR_EN) != 0u) {
    ps_dma_misuse(d, c, number, channel->registers[SAR], "an enabled channel is set up anew");
  } else if (index != SR) {
    channel->registers[index] = value;
  }
}

static uint32_t read(ps_dma *d, ps_dma_controller *c, uint32_t offset) {
  const uint32_t number = (offset - CHANNELS) / CHANNEL_BYTES;
  const uint32_t index = (offset - CHANNELS) % CHANNEL_BYTES / 4u;
  uint32_t value = 0;
  uint32_t channel;
  if (offset == MISR) {
    for (channel = 0; channel < c->channel_count; ++channel) {
      const ps_dma_channel *one = &c->channels[channel];
      ps_dma_seen(d, c, channel);
      value |= ((one->registers[CR] & one->flags & FLAGS) != 0u ? 1u : 0u) << channel;
    }
    return value;
  }
  if (offset < CHANNELS || number >= c->channel_count) {
    return 0;
  }
  if (index == SR || index == CR || index == BR1) {
    ps_dma_seen(d, c, number);
  }
  if (index == SR) {
    const int is_idle = (c->channels[number].registers[CR] & CR_EN) == 0u;
    return c->channels[number].flags | (is_idle ? (uint32_t)FLAG_IDLE : 0u);
  }
  return c->channels[number].registers[index];
}

const ps_dma_layout ps_dma_gpdma_layout = {read, write, moved};
