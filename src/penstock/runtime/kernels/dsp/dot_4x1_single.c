/* Products of four channels with one row, for cores that issue one instruction at a time: words come by
 * load-multiple, of which a Cortex-M4 takes N in N + 1 cycles. The loop takes four times four values;
 * where these are fewer, the first round begins in the middle. */
#include "penstock/dot_4x1.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: values, r1: filters; r4 to r7: sums. 56 bytes. */
#define FOUR                      \
  "ldm.w r1!, {r8-r11}\n"         \
  "ldm.w r0!, {r3, r12}\n"         \
  "uxtb16 lr, r8\n"               \
  "smlad r5, r8, r3, r5\n"        \
  "smlad r4, lr, r3, r4\n"        \
  "uxtb16 lr, r9\n"               \
  "smlad r7, r9, r3, r7\n"        \
  "smlad r6, lr, r3, r6\n"        \
  "uxtb16 lr, r10\n"              \
  "smlad r5, r10, r12, r5\n"      \
  "smlad r4, lr, r12, r4\n"       \
  "uxtb16 lr, r11\n"              \
  "smlad r7, r11, r12, r7\n"      \
  "smlad r6, lr, r12, r6\n"

__attribute__((naked)) void ps_dot_4x1(PS_UNUSED const uint32_t *values,
                                       PS_UNUSED const int8_t *filters, PS_UNUSED int32_t fours,
                                       PS_UNUSED uint32_t *sums,
                                       PS_UNUSED int32_t ahead) {
  __asm__(
      "push {r3-r11, lr}\n"
      "mov r4, #0\n"
      "mov r5, #0\n"
      "mov r6, #0\n"
      "mov r7, #0\n"
      "rsb r8, r2, #0\n"
      "and r8, #3\n"
      "add r2, r0, r2, lsl #3\n"
      "mov r9, #56\n"
      "adr r10, 1f\n"
      "mla r8, r8, r9, r10\n"
      "mov pc, r8\n"
      ".balign 4\n"
      "1:\n");
  __asm__(FOUR FOUR FOUR FOUR);
  __asm__(
      "cmp r0, r2\n"
      "bne 1b\n"
      "pop {r3}\n"
      "stm r3, {r4-r7}\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/dot_4x1_portable.h"

void ps_dot_4x1(const uint32_t *values, const int8_t *filters, int32_t fours, uint32_t *sums,
                PS_UNUSED int32_t ahead) {
  dot_4x1_portable(values, filters, fours, sums);
}

#endif
