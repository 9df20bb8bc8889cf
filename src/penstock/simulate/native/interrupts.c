/* Which interrupts are pending, and sleeping until one is. No handler is ever entered: a core that
 * takes interrupts is not modelled. ARMv7-M architecture reference manual B1.5.18, B1.5.19 and
 * B3.4. */
#include <string.h>

#include "dma.h"
#include "timeline.h"

enum { SCR = 0xD10, SCR_SEVONPEND = 1 << 4 };
enum { ISER = 0x100, ICER = 0x180, ISPR = 0x200, ICPR = 0x280, BLOCK_BYTES = 0x80 };
enum { WORD_BYTES = 4, WORD_BITS = 32 };

static uint32_t read_control(const ps_timing *t) {
  uint32_t value;
  memcpy(&value, t->system_page + SCR, sizeof value);
  return value;
}

static void set_pending(ps_dma *d, uint32_t word, uint32_t bits) {
  const uint32_t is_new = bits & ~d->pending[word];
  d->pending[word] |= bits;
  if (is_new != 0u &&
      ((is_new & d->enabled[word]) != 0u || (read_control(d->timing) & SCR_SEVONPEND) != 0u)) {
    d->has_event = 1;
  }
}

void ps_interrupt_assert(ps_dma *d, uint32_t number, int is_asserted) {
  const uint32_t bit = 1u << number % WORD_BITS;
  if (is_asserted) {
    d->asserted[number / WORD_BITS] |= bit;
    set_pending(d, number / WORD_BITS, bit);
  } else {
    d->asserted[number / WORD_BITS] &= ~bit;
  }
}

/* Each block of registers has one word for 32 interrupts; ones set or clear, zeros do nothing. */
void ps_interrupt_access(ps_timing *t, uint32_t offset, int is_write, uint32_t value) {
  ps_dma *d = t->dma;
  const uint32_t block = offset / BLOCK_BYTES * BLOCK_BYTES;
  const uint32_t word = offset % BLOCK_BYTES / WORD_BYTES;
  uint32_t held;
  if (word >= PS_INTERRUPT_WORDS) {
    return;
  }
  ps_catch_up(t, ps_here(t));
  if (is_write && block == ISER) {
    d->enabled[word] |= value;
  } else if (is_write && block == ICER) {
    d->enabled[word] &= ~value;
  } else if (is_write && block == ISPR) {
    set_pending(d, word, value);
  } else if (is_write && block == ICPR) {
    d->pending[word] = (d->pending[word] & ~value) | d->asserted[word];
  }
  held = block < ISPR ? d->enabled[word] : d->pending[word];
  memcpy(t->system_page + (offset & ~(uint32_t)(WORD_BYTES - 1)), &held, sizeof held);
}

static int is_awake(ps_dma *d, int waits_for_event) {
  uint32_t word;
  if (waits_for_event && d->has_event) {
    d->has_event = 0;
    return 1;
  }
  for (word = 0; word < PS_INTERRUPT_WORDS; ++word) {
    if ((d->pending[word] & d->enabled[word]) != 0u) {
      return 1;
    }
  }
  return 0;
}

static void doze(ps_timing *t, uint64_t ticks) {
  ps_stall(t, PS_CAUSE_DMA_WAIT, ticks);
  if (t->timeline != NULL) {
    ps_timeline_slept(t, ticks);
  }
}

int ps_dma_sleep(ps_timing *t, int waits_for_event) {
  ps_catch_up(t, t->now);
  while (!is_awake(t->dma, waits_for_event)) {
    if (t->next_event == UINT64_MAX) {
      return 0;
    }
    doze(t, t->next_event - t->now);
    ps_dma_advance(t);
    if (t->has_failed) {
      return 1;
    }
  }
  return 1;
}
