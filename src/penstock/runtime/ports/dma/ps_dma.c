/* ps_dma.h over a controller's ps_dma_engine.h. */
#include "ps_dma.h"

#include <string.h>

#include "ps_dma_engine.h"

/* System control register, ARMv7-M architecture reference manual B3.2.7. */
#define PS_SCR 0xE000ED10u
#define PS_SCR_SEVONPEND (1u << 4) /* an interrupt that gets pending is an event */

typedef struct ps_dma_job {
  uint32_t destination;
  uint32_t source;
  uint32_t left_bytes;
  uint32_t piece_bytes; /* in transfer; 0 when the channel is idle */
} ps_dma_job;

static ps_dma_job ps_dma_jobs[PS_DMA_CHANNEL_COUNT];

void ps_dma_init(void) {
  PS_REGISTER(PS_DMA_CLOCK_ENABLE) |= 1u << PS_DMA_CLOCK_ENABLE_BIT;
  (void)PS_REGISTER(PS_DMA_CLOCK_ENABLE); /* the clock is there once this has been read */
  PS_REGISTER(PS_SCR) |= PS_SCR_SEVONPEND;
}

static void start_piece(uint32_t channel) {
  ps_dma_job *job = &ps_dma_jobs[channel];
  /* What the core has written is in memory, or in its cache, before the controller starts. */
  __asm__ volatile("dsb" ::: "memory");
  job->piece_bytes =
      ps_dma_engine_start(channel, job->destination, job->source, job->left_bytes);
}

void ps_dma_copy_start(uint32_t channel, void *destination, const void *source,
                       uint32_t size_bytes) {
  ps_dma_job *job = &ps_dma_jobs[channel];
  uint8_t *to = destination;
  const uint8_t *from = source;
  uint32_t head = (0u - (uint32_t)(uintptr_t)destination) % PS_DMA_ALIGNMENT_BYTES;
  uint32_t tail;
  head = head < size_bytes ? head : size_bytes;
  tail = (size_bytes - head) % PS_DMA_ALIGNMENT_BYTES;
  (void)memcpy(to, from, head);
  (void)memcpy(to + (size_bytes - tail), from + (size_bytes - tail), tail);
  job->destination = (uint32_t)(uintptr_t)(to + head);
  job->source = (uint32_t)(uintptr_t)(from + head);
  job->left_bytes = size_bytes - head - tail;
  job->piece_bytes = 0;
  if (job->left_bytes != 0u) {
    start_piece(channel);
  }
}

/* A piece has arrived: the next one starts, if there is one. */
static void continue_job(uint32_t channel) {
  ps_dma_job *job = &ps_dma_jobs[channel];
  job->destination += job->piece_bytes;
  job->source += job->piece_bytes;
  job->left_bytes -= job->piece_bytes;
  job->piece_bytes = 0;
  if (job->left_bytes != 0u) {
    start_piece(channel);
    ps_dma_engine_listen(channel);
  }
}

int ps_dma_wait(uint32_t channel) {
  ps_dma_job *job = &ps_dma_jobs[channel];
  if (job->piece_bytes != 0u) {
    ps_dma_engine_listen(channel);
  }
  while (job->piece_bytes != 0u) {
    switch (ps_dma_engine_status(channel)) {
      case PS_DMA_RUNNING:
        __asm__ volatile("wfe" ::: "memory");
        break;
      case PS_DMA_COMPLETE:
        continue_job(channel);
        break;
      default:
        job->piece_bytes = 0;
        return PS_DMA_ERROR;
    }
  }
  __asm__ volatile("dsb" ::: "memory");
  return PS_DMA_OK;
}
