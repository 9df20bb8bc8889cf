/* How the compiler lays out the structures that simulate/ mirrors; simulate/layouts.py compares. */
#include "monitor.h"
#include "polling.h"
#include "sanitizer.h"
#include "timeline.h"

typedef struct layout {
  const char *name;
  uint64_t size_bytes;
  uint64_t last_offset; /* of the last member */
} layout;

#define LAYOUT(type, last) {#type, sizeof(type), offsetof(type, last)}

/* Ends with a null pointer for a name. */
const layout ps_layouts[] = {
    LAYOUT(function, instructions),
    LAYOUT(address_range, end),
    LAYOUT(monitor, block_count),
    LAYOUT(ps_address_step, constant),
    LAYOUT(ps_address_space, guard_end),
    LAYOUT(polling, invented_count),
    LAYOUT(ps_cache, tags),
    LAYOUT(ps_memory, bytes_fetched),
    LAYOUT(ps_zone, is_accelerated),
    LAYOUT(ps_edge, pair_mask),
    LAYOUT(ps_block, edges),
    LAYOUT(ps_fill, ready_at),
    LAYOUT(ps_hint, before),
    LAYOUT(ps_accelerator, line_reads),
    LAYOUT(ps_counters, stalls),
    LAYOUT(ps_timing, timeline),
    LAYOUT(ps_dma_port, busy_until),
    LAYOUT(ps_window, shadow),
    LAYOUT(ps_dma_side, window),
    LAYOUT(ps_dma_transfer, slot),
    LAYOUT(ps_dma_channel, transfer),
    LAYOUT(ps_dma_leg, reserved),
    LAYOUT(ps_dma_controller, channels),
    LAYOUT(ps_dma_record, ended_at),
    LAYOUT(ps_dma, is_cut),
    LAYOUT(ps_actor, ended_at),
    LAYOUT(ps_fault, what),
    LAYOUT(ps_sanitizer, fault),
    LAYOUT(ps_moved, bytes_fetched),
    LAYOUT(ps_mark, left),
    LAYOUT(ps_sleep, end),
    LAYOUT(ps_timeline, reserved),
    {NULL, 0, 0},
};
