/* What each DMA controller implements beneath ps_dma.c. */
#ifndef PENSTOCK_PORTS_PS_DMA_ENGINE_H
#define PENSTOCK_PORTS_PS_DMA_ENGINE_H

#include <stdint.h>

#include "ps_dma_board.h"

#define PS_REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

/* What the controller writes begins and ends at a multiple of this: whole bursts, whole lines. */
#define PS_DMA_BURST_BYTES 16u
#if PS_CACHE_LINE_BYTES > 16
#define PS_DMA_ALIGNMENT_BYTES PS_CACHE_LINE_BYTES
#else
#define PS_DMA_ALIGNMENT_BYTES PS_DMA_BURST_BYTES
#endif

typedef enum ps_dma_status {
  PS_DMA_RUNNING = 0,
  PS_DMA_COMPLETE = 1,
  PS_DMA_FAILED = 2
} ps_dma_status;

/* Starts as much of a copy as the controller can make in one transfer, and returns its bytes.
 * `destination` and `size_bytes` are multiples of PS_DMA_ALIGNMENT_BYTES. */
uint32_t ps_dma_engine_start(uint32_t channel, uint32_t destination, uint32_t source,
                             uint32_t size_bytes);

/* Lets the end of a channel's transfer be an event that ends a WFE. */
void ps_dma_engine_listen(uint32_t channel);

/* What has become of a channel's transfer; its flags are cleared once it is over. */
ps_dma_status ps_dma_engine_status(uint32_t channel);

/* The widest item, up to a limit, that an address is a multiple of; as log2 of its bytes. */
static inline uint32_t ps_dma_width_log2(uint32_t address, uint32_t limit_log2) {
  uint32_t width_log2 = 0;
  while (width_log2 < limit_log2 && (address & ((2u << width_log2) - 1u)) == 0u) {
    ++width_log2;
  }
  return width_log2;
}

/* Interrupt clear-pending register, ARMv7-M architecture reference manual B3.4.7. The interrupt
 * itself stays disabled: pending is enough for an event. */
static inline void ps_dma_clear_pending(uint32_t interrupt) {
  PS_REGISTER(0xE000E280u + 4u * (interrupt / 32u)) = 1u << (interrupt % 32u);
}

#endif
