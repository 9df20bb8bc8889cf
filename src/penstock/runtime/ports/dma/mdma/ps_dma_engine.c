/* The master DMA of STM32H7, the one that reaches the TCMs. Names are those of ST RM0433, chapter
 * "MDMA controller". */
#include "ps_dma_engine.h"

#define PS_CHANNEL(channel) (PS_DMA_BASE + 0x40u + 0x40u * (channel))
#define PS_CXISR 0x00u
#define PS_CXIFCR 0x04u
#define PS_CXCR 0x0Cu
#define PS_CXTCR 0x10u
#define PS_CXBNDTR 0x14u
#define PS_CXSAR 0x18u
#define PS_CXDAR 0x1Cu
#define PS_CXBRUR 0x20u
#define PS_CXLAR 0x24u
#define PS_CXTBR 0x28u

#define PS_FLAG_TEIF (1u << 0)
#define PS_FLAG_CTCIF (1u << 1)
#define PS_FLAGS 0x1Fu
#define PS_CR_EN (1u << 0)
#define PS_CR_TEIE (1u << 1)
#define PS_CR_CTCIE (1u << 2)
#define PS_CR_PL_HIGH (2u << 6)
#define PS_CR_SWRQ (1u << 16)
#define PS_TCR_SINC (2u << 0)
#define PS_TCR_DINC (2u << 2)
#define PS_TCR_SSIZE(width_log2) (((width_log2) << 4) | ((width_log2) << 8)) /* with SINCOS */
#define PS_TCR_DSIZE(width_log2) (((width_log2) << 6) | ((width_log2) << 10))
#define PS_TCR_SBURST(beats_log2) ((beats_log2) << 12)
#define PS_TCR_DBURST(beats_log2) ((beats_log2) << 15)
#define PS_TCR_TLEN(buffer_bytes) (((buffer_bytes) - 1u) << 18)
#define PS_TCR_PKE (1u << 25)        /* items are packed where widths differ */
#define PS_TCR_TRGM_BLOCK (1u << 28) /* one request moves the whole block */
#define PS_TCR_SWRM (1u << 30)       /* which software makes */
#define PS_TBR_SBUS_TCM (1u << 16)
#define PS_TBR_DBUS_TCM (1u << 17)

#define PS_BUFFER_BYTES 128u
#define PS_BURST_LOG2 5u /* 32 bytes: a line of the cache */
#define PS_AXI_WIDTH_LOG2 3u
#define PS_TCM_WIDTH_LOG2 2u

typedef struct ps_range {
  uint32_t base;
  uint32_t size_bytes;
} ps_range;

static const ps_range PS_TCMS[] = PS_DMA_TCM_RANGES;
static const uint32_t PS_INTERRUPTS[] = PS_DMA_INTERRUPTS;

static int is_tcm(uint32_t address) {
  uint32_t index;
  for (index = 0; index < sizeof PS_TCMS / sizeof PS_TCMS[0]; ++index) {
    if (address - PS_TCMS[index].base < PS_TCMS[index].size_bytes) {
      return 1;
    }
  }
  return 0;
}

static uint32_t width_log2_at(uint32_t address) {
  return ps_dma_width_log2(address, is_tcm(address) ? PS_TCM_WIDTH_LOG2 : PS_AXI_WIDTH_LOG2);
}

/* Beats of the longest burst that an address is a multiple of, as their log2. */
static uint32_t burst_log2_at(uint32_t address) {
  return ps_dma_width_log2(address, PS_BURST_LOG2) - width_log2_at(address);
}

uint32_t ps_dma_engine_start(uint32_t channel, uint32_t destination, uint32_t source,
                             uint32_t size_bytes) {
  const uint32_t registers = PS_CHANNEL(channel);
  const uint32_t bytes = size_bytes < PS_DMA_ITEMS_MAX ? size_bytes : PS_DMA_ITEMS_MAX;
  PS_REGISTER(registers + PS_CXCR) = 0;
  PS_REGISTER(registers + PS_CXIFCR) = PS_FLAGS;
  PS_REGISTER(registers + PS_CXTCR) =
      PS_TCR_SINC | PS_TCR_DINC | PS_TCR_SSIZE(width_log2_at(source)) |
      PS_TCR_DSIZE(width_log2_at(destination)) | PS_TCR_SBURST(burst_log2_at(source)) |
      PS_TCR_DBURST(burst_log2_at(destination)) | PS_TCR_TLEN(PS_BUFFER_BYTES) | PS_TCR_PKE |
      PS_TCR_TRGM_BLOCK | PS_TCR_SWRM;
  PS_REGISTER(registers + PS_CXBNDTR) = bytes;
  PS_REGISTER(registers + PS_CXSAR) = source;
  PS_REGISTER(registers + PS_CXDAR) = destination;
  PS_REGISTER(registers + PS_CXBRUR) = 0;
  PS_REGISTER(registers + PS_CXLAR) = 0;
  PS_REGISTER(registers + PS_CXTBR) = (is_tcm(source) ? PS_TBR_SBUS_TCM : 0u) |
                                      (is_tcm(destination) ? PS_TBR_DBUS_TCM : 0u);
  PS_REGISTER(registers + PS_CXCR) = PS_CR_PL_HIGH | PS_CR_EN;
  PS_REGISTER(registers + PS_CXCR) = PS_CR_PL_HIGH | PS_CR_EN | PS_CR_SWRQ;
  return bytes;
}

/* All channels share one interrupt, which gets pending only once: it is that of the channel that
 * the core waits for. */
void ps_dma_engine_listen(uint32_t channel) {
  PS_REGISTER(PS_CHANNEL(channel) + PS_CXCR) |= PS_CR_CTCIE | PS_CR_TEIE;
  ps_dma_clear_pending(PS_INTERRUPTS[channel]);
}

ps_dma_status ps_dma_engine_status(uint32_t channel) {
  const uint32_t flags = PS_REGISTER(PS_CHANNEL(channel) + PS_CXISR);
  if ((flags & (PS_FLAG_TEIF | PS_FLAG_CTCIF)) == 0u) {
    return PS_DMA_RUNNING;
  }
  PS_REGISTER(PS_CHANNEL(channel) + PS_CXIFCR) = PS_FLAGS;
  return (flags & PS_FLAG_TEIF) != 0u ? PS_DMA_FAILED : PS_DMA_COMPLETE;
}
