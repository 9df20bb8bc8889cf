/* Copies that run while the core computes, and the cache maintenance that they need.
 *
 * One implementation is linked: memcpy/ (any C99 target), stream/ (STM32F4, F7), mdma/ (STM32H7) or
 * gpdma/ (STM32U5). All but the first include ps_dma_board.h, which
 * Penstock generates from the board's data.
 *
 * The core does not see what a controller does to memory, and a controller does not see the core's
 * data cache. So on a core with one, for memory that it caches:
 *
 *     ps_cache_clean(source, size_bytes);            what the core wrote reaches memory
 *     ps_cache_invalidate(destination, size_bytes);  nothing is left to be written over the copy
 *     ps_dma_copy_start(channel, destination, source, size_bytes);
 *     ...                                            touches neither of the two
 *     ps_dma_wait(channel);
 *     ps_cache_invalidate(destination, size_bytes);  what the core read ahead meanwhile goes
 *
 * The first may be left out for a source that the core has not written, and all of them for
 * tightly coupled memory. */
#ifndef PENSTOCK_PORTS_PS_DMA_H
#define PENSTOCK_PORTS_PS_DMA_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What ps_dma_wait returns. */
#define PS_DMA_OK 0
#define PS_DMA_ERROR 1 /* the controller has stopped: it cannot reach one of the memories */

/* Gives the controller its clock. Call it once, before anything else here. */
void ps_dma_init(void);

/* Starts a copy of any size and alignment; the two ranges must not overlap, and none of them may
 * be touched before ps_dma_wait. `channel` is from 0 to PS_DMA_CHANNEL_COUNT - 1, and idle. What is
 * left of whole bursts at the ends is copied at once, by the core: it is never in a cache line that
 * the controller writes. */
void ps_dma_copy_start(uint32_t channel, void *destination, const void *source,
                       uint32_t size_bytes);

/* Sleeps until a channel's copy is complete, and returns PS_DMA_OK or PS_DMA_ERROR. A copy that is
 * longer than the controller's limit goes on here, piece by piece. An idle channel returns at
 * once. */
int ps_dma_wait(uint32_t channel);

/* Writes back what the data cache holds of a range. Nothing on cores without a data cache. */
void ps_cache_clean(const void *address, uint32_t size_bytes);

/* Forgets what the data cache holds of a range. Lines that lie only partly in it are written back
 * first. Nothing on cores without a data cache. */
void ps_cache_invalidate(void *address, uint32_t size_bytes);

#ifdef __cplusplus
}
#endif

#endif
