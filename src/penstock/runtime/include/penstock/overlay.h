/* Overlays: copies that run beside kernels, which work on tiles in fast memory.
 *
 * A program is a table of tiles and a table of copies. Before a tile the core waits for the copies
 * that it needs and starts those of tiles to come; after it, it starts the copies that take its
 * results away. Copies are those of ps_dma.h.
 */
#ifndef PENSTOCK_OVERLAY_H
#define PENSTOCK_OVERLAY_H

#include <stdint.h>

#include "penstock/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PS_OVERLAY_CHANNELS_MAX 8

/* What a data cache needs of a copy. */
#define PS_OVERLAY_CLEAN 1u      /* the core may have written the source */
#define PS_OVERLAY_INVALIDATE 2u /* the cache may hold lines of the destination */

typedef struct ps_overlay_copy {
  void *destination;
  const void *source;
  uint32_t size_bytes;
  uint16_t tile;   /* of a load: the first that uses it */
  uint8_t channel; /* below PS_OVERLAY_CHANNELS_MAX */
  uint8_t cache;   /* PS_OVERLAY_..., or 0 */
} ps_overlay_copy;

typedef struct ps_overlay_tile {
  uint16_t first_copy; /* of those that start with this tile: loads before it, stores after it */
  uint8_t load_count;
  uint8_t store_count;
  uint8_t waits;      /* channels, a bit each, that are waited for before the loads start */
  uint8_t late_waits; /* channels of loads that start with this tile and are needed by it */
} ps_overlay_tile;

typedef struct ps_overlay_program {
  const ps_overlay_tile *tiles;
  const ps_overlay_copy *copies;
} ps_overlay_program;

typedef struct ps_overlay_state {
  const ps_overlay_copy *running[PS_OVERLAY_CHANNELS_MAX];
  uint32_t end_tile;
  uint32_t has_failed;
} ps_overlay_state;

/* Begins a run of the tiles from `first_tile` to `end_tile` - 1: starts the loads that earlier tiles
 * would have started. Call it after ps_dma_init. */
void ps_overlay_begin(const ps_overlay_program *program, ps_overlay_state *state,
                      uint32_t first_tile, uint32_t end_tile);

/* Call it before the kernel of a tile: what the tile reads is there when it returns. */
void ps_overlay_before(const ps_overlay_program *program, ps_overlay_state *state, uint32_t tile);

/* Call it after the kernel of a tile. */
void ps_overlay_after(const ps_overlay_program *program, ps_overlay_state *state, uint32_t tile);

/* Waits for all copies; PS_ERROR_DMA when one since ps_overlay_begin did not succeed. */
ps_status ps_overlay_end(ps_overlay_state *state);

#ifdef __cplusplus
}
#endif

#endif
