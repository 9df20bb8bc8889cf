/* DMA2 of STM32F4 and F7, the one that copies from memory to memory. Names are those of ST RM0385
 * and RM0090, chapter "DMA controller". */
#include "ps_dma_engine.h"

#define PS_LISR (PS_DMA_BASE + 0x00u)
#define PS_HISR (PS_DMA_BASE + 0x04u)
#define PS_LIFCR (PS_DMA_BASE + 0x08u)
#define PS_HIFCR (PS_DMA_BASE + 0x0Cu)
#define PS_STREAM(channel) (PS_DMA_BASE + 0x10u + 0x18u * (channel))
#define PS_SXCR 0x00u
#define PS_SXNDTR 0x04u
#define PS_SXPAR 0x08u
#define PS_SXM0AR 0x0Cu
#define PS_SXFCR 0x14u

#define PS_CR_EN (1u << 0)
#define PS_CR_TEIE (1u << 2)
#define PS_CR_TCIE (1u << 4)
#define PS_CR_DIR_MEMORY_TO_MEMORY (2u << 6) /* from PAR to M0AR */
#define PS_CR_PINC (1u << 9)
#define PS_CR_MINC (1u << 10)
#define PS_CR_PSIZE(width_log2) ((width_log2) << 11)
#define PS_CR_MSIZE_WORD (2u << 13)
#define PS_CR_PL_HIGH (2u << 16)
#define PS_CR_PBURST_INC4 (1u << 21)
#define PS_CR_MBURST_INC4 (1u << 23)
#define PS_FCR_DMDIS (1u << 2)
#define PS_FCR_FTH_FULL 3u

#define PS_FLAG_TEIF 0x08u
#define PS_FLAG_TCIF 0x20u
#define PS_FLAGS 0x3Du
#define PS_WORD_LOG2 2u

static const uint32_t PS_INTERRUPTS[] = PS_DMA_INTERRUPTS;

/* Where the flags of a stream begin in LISR, for streams 0 to 3, and HISR. */
static uint32_t flag_shift(uint32_t channel) {
  static const uint8_t SHIFTS[4] = {0, 6, 16, 22};
  return SHIFTS[channel % 4u];
}

static void clear_flags(uint32_t channel) {
  PS_REGISTER(channel < 4u ? PS_LIFCR : PS_HIFCR) = PS_FLAGS << flag_shift(channel);
}

/* A burst must not cross a boundary of 1 KiB, so that only aligned ones are made. */
uint32_t ps_dma_engine_start(uint32_t channel, uint32_t destination, uint32_t source,
                             uint32_t size_bytes) {
  const uint32_t stream = PS_STREAM(channel);
  const uint32_t width_log2 = ps_dma_width_log2(source, PS_WORD_LOG2);
  const uint32_t burst = source % PS_DMA_BURST_BYTES == 0u ? PS_CR_PBURST_INC4 : 0u;
  const uint32_t limit = (PS_DMA_ITEMS_MAX << width_log2) & ~(PS_DMA_ALIGNMENT_BYTES - 1u);
  const uint32_t bytes = size_bytes < limit ? size_bytes : limit;
  const uint32_t control = PS_CR_DIR_MEMORY_TO_MEMORY | PS_CR_PINC | PS_CR_MINC |
                           PS_CR_PSIZE(width_log2) | PS_CR_MSIZE_WORD | PS_CR_PL_HIGH | burst |
                           PS_CR_MBURST_INC4 | PS_CR_TCIE | PS_CR_TEIE;
  clear_flags(channel);
  PS_REGISTER(stream + PS_SXNDTR) = bytes >> width_log2;
  PS_REGISTER(stream + PS_SXPAR) = source;
  PS_REGISTER(stream + PS_SXM0AR) = destination;
  PS_REGISTER(stream + PS_SXFCR) = PS_FCR_DMDIS | PS_FCR_FTH_FULL;
  PS_REGISTER(stream + PS_SXCR) = control;
  PS_REGISTER(stream + PS_SXCR) = control | PS_CR_EN;
  return bytes;
}

void ps_dma_engine_listen(uint32_t channel) {
  ps_dma_clear_pending(PS_INTERRUPTS[channel]);
}

ps_dma_status ps_dma_engine_status(uint32_t channel) {
  const uint32_t flags = PS_REGISTER(channel < 4u ? PS_LISR : PS_HISR) >> flag_shift(channel);
  if ((flags & (PS_FLAG_TEIF | PS_FLAG_TCIF)) == 0u) {
    return PS_DMA_RUNNING;
  }
  clear_flags(channel);
  return (flags & PS_FLAG_TEIF) != 0u ? PS_DMA_FAILED : PS_DMA_COMPLETE;
}
