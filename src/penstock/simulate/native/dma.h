/* DMA controllers in time, and the interrupts that they raise. Mirrored in simulate/dma_records.py.
 *
 * A controller moves one round at a time: as many bytes as its bursts have. A burst keeps its
 * memory busy like an access of the core does, so each waits for what is in progress or has asked
 * before, and for nothing else. Bytes are copied when their round ends. */
#ifndef PS_DMA_H
#define PS_DMA_H

#include "timing.h"

enum { PS_DMA_CHANNELS_MAX = 16, PS_DMA_REGISTERS_MAX = 32, PS_INTERRUPT_WORDS = 16 };
enum { PS_DMA_ROUND_BYTES_MAX = 256, PS_WORD_BYTES = 4 };

typedef enum ps_dma_kind { PS_DMA_STREAM = 0, PS_DMA_MDMA = 1, PS_DMA_GPDMA = 2 } ps_dma_kind;

/* What a controller sees of a memory; costs in ticks. */
typedef struct ps_dma_port {
  int64_t burst_read;  /* before the data of a burst */
  int64_t single_read; /* before the data of a single item */
  int64_t word_read;   /* of the data, for 4 bytes */
  int64_t word_write;
  uint32_t prefetch_bytes; /* read ahead by a memory whose reads go on for nothing; else 0 */
  uint32_t reserved;
  uint64_t ready_at; /* when the byte that continues the last read is there */
  uint64_t busy_until; /* of the last burst that has asked for the memory */
} ps_dma_port;

/* Addresses at which a memory is seen. */
typedef struct ps_window {
  uint32_t base;
  uint32_t size_bytes;
  uint32_t memory;
  uint32_t is_writable;
  uint32_t is_tightly_coupled;
  uint32_t controllers; /* bit by controller: it reaches it */
  uint8_t *bytes;
  uint8_t *shadow; /* a null pointer without sanitizers */
} ps_window;

/* One end of a transfer. */
typedef struct ps_dma_side {
  uint32_t start;
  uint32_t address;
  uint32_t width_bytes;
  uint32_t burst_bytes;
  int32_t step; /* 1, 0 or -1 items for each item */
  uint32_t reserved;
  const ps_window *window;
} ps_dma_side;

typedef enum ps_dma_state {
  PS_DMA_IDLE = 0,
  PS_DMA_RUNNING = 1,
  PS_DMA_UNSEEN = 2 /* complete, but the core has not looked */
} ps_dma_state;

typedef struct ps_dma_transfer {
  ps_dma_side source;
  ps_dma_side destination;
  uint32_t size_bytes;
  uint32_t done_bytes;
  uint32_t priority; /* the highest first */
  uint32_t state;
  uint32_t fifo_bytes;
  uint32_t reserved;
  uint64_t started_at;
  uint64_t ended_at;
  uint64_t slot; /* of the operator that started it */
} ps_dma_transfer;

typedef struct ps_dma_channel {
  uint32_t registers[PS_DMA_REGISTERS_MAX];
  uint32_t flags;
  uint32_t reserved;
  ps_dma_transfer transfer;
} ps_dma_channel;

/* One side of the round in progress. */
typedef struct ps_dma_leg {
  uint64_t at; /* when its next burst asks for the memory; of the last, when it is over */
  uint32_t done_bytes;
  uint32_t reserved;
} ps_dma_leg;

typedef struct ps_dma_controller {
  uint32_t kind;
  uint32_t base;
  uint32_t channel_count;
  uint32_t copies_memory; /* from memory to memory */
  uint32_t items_max;
  uint32_t fifo_bytes;
  int64_t clock; /* ticks of a bus clock */
  int64_t item;  /* ticks of a single item, its clock included */
  uint8_t *page;
  const uint32_t *clock_enable; /* register; a null pointer when always on */
  uint32_t clock_enable_mask;
  uint32_t number;
  uint32_t interrupts[PS_DMA_CHANNELS_MAX];
  int32_t current; /* channel of the round in progress; -1 for none */
  uint32_t round_bytes;
  uint64_t event_at; /* when the round's next burst asks, or when it is over */
  ps_dma_leg reading;
  ps_dma_leg writing;
  ps_dma_channel channels[PS_DMA_CHANNELS_MAX];
} ps_dma_controller;

/* A finished transfer. */
typedef struct ps_dma_record {
  uint32_t controller;
  uint32_t channel;
  uint32_t source;
  uint32_t destination;
  uint32_t size_bytes;
  uint32_t slot;
  uint64_t started_at;
  uint64_t ended_at;
} ps_dma_record;

typedef struct ps_dma {
  ps_timing *timing;
  ps_window *windows;
  uint64_t window_count;
  ps_dma_port *ports; /* by memory */
  ps_dma_controller *controllers;
  uint64_t controller_count;
  ps_dma_record *records;
  uint64_t record_count;
  uint64_t record_capacity;
  uint32_t pending[PS_INTERRUPT_WORDS];
  uint32_t asserted[PS_INTERRUPT_WORDS];
  uint32_t enabled[PS_INTERRUPT_WORDS];
  uint32_t has_event; /* the core's event register */
  uint32_t is_cut;    /* there was no room for all records */
} ps_dma;

void ps_dma_open(ps_dma *d, ps_timing *t);
void ps_dma_close(ps_dma *d);

/* Does what happens up to the end of the block in progress. */
void ps_dma_advance(ps_timing *t);

/* The core is about to access a memory while transfers run: it waits for the burst in progress, also
 * where the memory itself never keeps it waiting. */
void ps_dma_contend(ps_timing *t, const ps_zone *zone);

/* A register is about to be read or written. */
void ps_dma_access(ps_timing *t, uint32_t address, uint32_t size_bytes, int is_write,
                   uint32_t value);
void ps_interrupt_access(ps_timing *t, uint32_t offset, int is_write, uint32_t value);

/* Sleeps as WFI or WFE do; 0 when nothing will ever wake the core. */
int ps_dma_sleep(ps_timing *t, int waits_for_event);

/* Starts the bursts of a round of round_bytes, and makes those of event_at; 0 when all are made. */
void ps_dma_begin_bursts(ps_dma_controller *c, int overlaps, uint64_t start);
int ps_dma_pass_burst(ps_dma *d, ps_dma_controller *c);

/* For the register layouts: */
const ps_window *ps_dma_window(const ps_dma *d, uint32_t address);
int ps_dma_starts(ps_dma *d, ps_dma_controller *c, uint32_t channel);
void ps_dma_stop(ps_dma *d, ps_dma_controller *c, uint32_t channel);
void ps_dma_seen(ps_dma *d, ps_dma_controller *c, uint32_t channel); /* its state was read */
void ps_dma_misuse(ps_dma *d, const ps_dma_controller *c, uint32_t channel, uint32_t address,
                   const char *what);
void ps_interrupt_assert(ps_dma *d, uint32_t number, int is_asserted);

/* What differs between register layouts. Offsets are from the controller's base. */
typedef struct ps_dma_layout {
  uint32_t (*read)(ps_dma *d, ps_dma_controller *c, uint32_t offset);
  void (*write)(ps_dma *d, ps_dma_controller *c, uint32_t offset, uint32_t value);
  /* A round has ended; the transfer's done_bytes say how far it is. */
  void (*moved)(ps_dma *d, ps_dma_controller *c, uint32_t channel);
} ps_dma_layout;

extern const ps_dma_layout ps_dma_stream_layout;
extern const ps_dma_layout ps_dma_mdma_layout;
extern const ps_dma_layout ps_dma_gpdma_layout;

#endif
