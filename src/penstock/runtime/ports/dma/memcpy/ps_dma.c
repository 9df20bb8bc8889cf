/* ps_dma.h without a DMA controller: the core copies, and nothing runs meanwhile. */
#include "ps_dma.h"

#include <string.h>

void ps_dma_init(void) {}

void ps_dma_copy_start(uint32_t channel, void *destination, const void *source,
                       uint32_t size_bytes) {
  (void)channel;
  (void)memcpy(destination, source, size_bytes);
}

int ps_dma_wait(uint32_t channel) {
  (void)channel;
  return PS_DMA_OK;
}

void ps_cache_clean(const void *address, uint32_t size_bytes) {
  (void)address;
  (void)size_bytes;
}

void ps_cache_invalidate(void *address, uint32_t size_bytes) {
  (void)address;
  (void)size_bytes;
}
