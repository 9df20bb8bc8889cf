/* See overlay.h. */
#include "penstock/overlay.h"

#include <stddef.h>

#include "ps_dma.h"

static void start(ps_overlay_state *state, const ps_overlay_copy *copy) {
  if ((copy->cache & PS_OVERLAY_CLEAN) != 0u) {
    ps_cache_clean(copy->source, copy->size_bytes);
  }
  if ((copy->cache & PS_OVERLAY_INVALIDATE) != 0u) {
    ps_cache_invalidate(copy->destination, copy->size_bytes);
  }
  state->running[copy->channel] = copy;
  ps_dma_copy_start(copy->channel, copy->destination, copy->source, copy->size_bytes);
}

static void finish(ps_overlay_state *state, uint32_t channel) {
  const ps_overlay_copy *copy = state->running[channel];
  if (copy == NULL) {
    return;
  }
  state->running[channel] = NULL;
  if (ps_dma_wait(channel) != PS_DMA_OK) {
    state->has_failed = 1;
  }
  if ((copy->cache & PS_OVERLAY_INVALIDATE) != 0u) {
    ps_cache_invalidate(copy->destination, copy->size_bytes); /* what was read ahead */
  }
}

static void finish_all(ps_overlay_state *state, uint32_t channels) {
  for (uint32_t channel = 0; channels != 0u; ++channel, channels >>= 1) {
    if ((channels & 1u) != 0u) {
      finish(state, channel);
    }
  }
}

void ps_overlay_begin(const ps_overlay_program *program, ps_overlay_state *state,
                      uint32_t first_tile, uint32_t end_tile) {
  state->end_tile = end_tile;
  state->has_failed = 0;
  for (uint32_t tile = 0; tile < first_tile; ++tile) {
    const ps_overlay_tile *earlier = &program->tiles[tile];
    for (uint32_t load = 0; load < earlier->load_count; ++load) {
      const ps_overlay_copy *copy = &program->copies[earlier->first_copy + load];
      if (copy->tile >= first_tile && copy->tile < end_tile) {
        start(state, copy);
      }
    }
  }
}

void ps_overlay_before(const ps_overlay_program *program, ps_overlay_state *state, uint32_t tile) {
  const ps_overlay_tile *now = &program->tiles[tile];
  const ps_overlay_copy *copy = &program->copies[now->first_copy];
  finish_all(state, now->waits);
  for (uint32_t load = 0; load < now->load_count; ++load, ++copy) {
    if (copy->tile < state->end_tile) {
      start(state, copy);
    }
  }
  finish_all(state, now->late_waits);
}

void ps_overlay_after(const ps_overlay_program *program, ps_overlay_state *state, uint32_t tile) {
  const ps_overlay_tile *now = &program->tiles[tile];
  const ps_overlay_copy *copy = &program->copies[now->first_copy + now->load_count];
  for (uint32_t store = 0; store < now->store_count; ++store, ++copy) {
    start(state, copy);
  }
}

ps_status ps_overlay_end(ps_overlay_state *state) {
  finish_all(state, (1u << PS_OVERLAY_CHANNELS_MAX) - 1u);
  return state->has_failed != 0u ? PS_ERROR_DMA : PS_OK;
}
