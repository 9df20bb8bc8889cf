/* Products of four channels with one pixel, for cores that issue one instruction at a time: words
 * come by load-multiple, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/multiply_4x1.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: values, r1: filters, r2: end of the values; r4 to r7: sums. */
__attribute__((naked)) void ps_multiply_4x1(PS_UNUSED const uint32_t *values,
                                            PS_UNUSED const int8_t *filters,
                                            PS_UNUSED int32_t pairs, PS_UNUSED int32_t *sums) {
  __asm__(
      "push {r3-r11, lr}\n"
      "add r2, r0, r2, lsl #2\n"
      "ldm r3, {r4-r7}\n"
      ".balign 4\n"
      "1:\n"
      "ldm r1!, {r8-r11}\n"
      "ldm r0!, {r3, r12}\n"
      "sxtb16 lr, r8\n"
      "sxtb16 r8, r8, ror #8\n"
      "smlad r4, lr, r3, r4\n"
      "smlad r5, r8, r3, r5\n"
      "sxtb16 lr, r9\n"
      "sxtb16 r9, r9, ror #8\n"
      "smlad r6, lr, r3, r6\n"
      "smlad r7, r9, r3, r7\n"
      "sxtb16 lr, r10\n"
      "sxtb16 r10, r10, ror #8\n"
      "smlad r4, lr, r12, r4\n"
      "smlad r5, r10, r12, r5\n"
      "cmp r0, r2\n"
      "sxtb16 lr, r11\n"
      "sxtb16 r11, r11, ror #8\n"
      "smlad r6, lr, r12, r6\n"
      "smlad r7, r11, r12, r7\n"
      "bne 1b\n"
      "pop {r3}\n"
      "stm r3, {r4-r7}\n"
      "pop {r4-r11, pc}\n");
}

#else

void ps_multiply_4x1(const uint32_t *values, const int8_t *filters, int32_t pairs, int32_t *sums) {
  for (int32_t k = 0; k < pairs; ++k) {
    for (int32_t half = 0; half < 2; ++half) {
      const uint32_t word = ps_load_word(filters);
      sums[2 * half] = ps_multiply_pairs(ps_even_bytes(word), values[k], sums[2 * half]);
      sums[2 * half + 1] = ps_multiply_pairs(ps_odd_bytes(word), values[k], sums[2 * half + 1]);
      filters += 4;
    }
  }
}

#endif
