/* The general-purpose DMA of STM32U5: its channels 12 to 15, whose FIFO holds 32 bytes. Names are
 * those of ST RM0456, chapter "GPDMA". */
#include "ps_dma_engine.h"

#define PS_FIRST_CHANNEL 12u
#define PS_CHANNEL(channel) (PS_DMA_BASE + 0x50u + 0x80u * (PS_FIRST_CHANNEL + (channel)))
#define PS_CXFCR 0x0Cu
#define PS_CXSR 0x10u
#define PS_CXCR 0x14u
#define PS_CXTR1 0x40u
#define PS_CXTR2 0x44u
#define PS_CXBR1 0x48u
#define PS_CXSAR 0x4Cu
#define PS_CXDAR 0x50u
#define PS_CXBR2 0x58u
#define PS_CXLLR 0x7Cu

#define PS_FLAG_TC (1u << 8)
#define PS_FLAG_DTE (1u << 10)
#define PS_FLAG_USE (1u << 12)
#define PS_FLAGS 0x7F00u /* in SR, FCR, and as enables in CR */
#define PS_CR_EN (1u << 0)
#define PS_CR_PRIO_HIGH (2u << 22)
#define PS_TR1_SDW_LOG2(width_log2) (width_log2)
#define PS_TR1_SINC (1u << 3)
#define PS_TR1_SBL_1(beats) (((beats) - 1u) << 4)
#define PS_TR1_PAM_PACKED (2u << 11)
#define PS_TR1_DDW_LOG2(width_log2) ((width_log2) << 16)
#define PS_TR1_DINC (1u << 19)
#define PS_TR1_DBL_1(beats) (((beats) - 1u) << 20)
#define PS_TR2_SWREQ (1u << 9)

#define PS_WORD_LOG2 2u
#define PS_BURST_WORDS (PS_DMA_BURST_BYTES >> PS_WORD_LOG2)

static const uint32_t PS_INTERRUPTS[] = PS_DMA_INTERRUPTS;

/* Bursts are aligned, so that none crosses a boundary of 1 KiB. */
uint32_t ps_dma_engine_start(uint32_t channel, uint32_t destination, uint32_t source,
                             uint32_t size_bytes) {
  const uint32_t registers = PS_CHANNEL(channel);
  const uint32_t limit = PS_DMA_ITEMS_MAX & ~(PS_DMA_ALIGNMENT_BYTES - 1u);
  const uint32_t bytes = size_bytes < limit ? size_bytes : limit;
  const uint32_t beats = source % PS_DMA_BURST_BYTES == 0u ? PS_BURST_WORDS : 1u;
  PS_REGISTER(registers + PS_CXFCR) = PS_FLAGS;
  PS_REGISTER(registers + PS_CXTR1) =
      PS_TR1_SDW_LOG2(ps_dma_width_log2(source, PS_WORD_LOG2)) | PS_TR1_SINC |
      PS_TR1_SBL_1(beats) | PS_TR1_PAM_PACKED | PS_TR1_DDW_LOG2(PS_WORD_LOG2) | PS_TR1_DINC |
      PS_TR1_DBL_1(PS_BURST_WORDS);
  PS_REGISTER(registers + PS_CXTR2) = PS_TR2_SWREQ;
  PS_REGISTER(registers + PS_CXBR1) = bytes;
  PS_REGISTER(registers + PS_CXBR2) = 0;
  PS_REGISTER(registers + PS_CXSAR) = source;
  PS_REGISTER(registers + PS_CXDAR) = destination;
  PS_REGISTER(registers + PS_CXLLR) = 0;
  PS_REGISTER(registers + PS_CXCR) =
      PS_CR_PRIO_HIGH | PS_FLAG_TC | PS_FLAG_DTE | PS_FLAG_USE | PS_CR_EN;
  return bytes;
}

void ps_dma_engine_listen(uint32_t channel) {
  ps_dma_clear_pending(PS_INTERRUPTS[channel]);
}

ps_dma_status ps_dma_engine_status(uint32_t channel) {
  const uint32_t flags = PS_REGISTER(PS_CHANNEL(channel) + PS_CXSR);
  if ((flags & (PS_FLAG_TC | PS_FLAG_DTE | PS_FLAG_USE)) == 0u) {
    return PS_DMA_RUNNING;
  }
  PS_REGISTER(PS_CHANNEL(channel) + PS_CXFCR) = PS_FLAGS;
  return (flags & PS_FLAG_TC) == 0u ? PS_DMA_FAILED : PS_DMA_COMPLETE;
}
