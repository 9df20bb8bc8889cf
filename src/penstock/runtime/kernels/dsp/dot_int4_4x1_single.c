/* Products of four channels of four bits with one row, for cores that issue one instruction at a time:
 * words come by load-multiple, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/dot_int4_4x1.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: values; r1: filters; r2: their end; r4 to r7: sums; lr: lower halves of bytes. */
#define PAIR(filters, values)                 \
  "and r10, " filters ", lr\n"                \
  "and r11, lr, " filters ", lsr #4\n"        \
  "smlad r5, r10, " values ", r5\n"           \
  "smlad r7, r11, " values ", r7\n"           \
  "uxtb16 r10, r10\n"                         \
  "uxtb16 r11, r11\n"                         \
  "smlad r4, r10, " values ", r4\n"           \
  "smlad r6, r11, " values ", r6\n"

#define FOUR               \
  "ldm.w r1!, {r8, r9}\n"  \
  "ldm.w r0!, {r3, r12}\n" \
  PAIR("r8", "r3")         \
  PAIR("r9", "r12")

__attribute__((naked)) void ps_dot_int4_4x1(PS_UNUSED const uint32_t *values,
                                            PS_UNUSED const uint8_t *filters,
                                            PS_UNUSED int32_t fours, PS_UNUSED uint32_t *sums) {
  __asm__(
      "push {r3-r11, lr}\n"
      "mov lr, #0x0F0F0F0F\n"
      "mov r4, #0\n"
      "mov r5, #0\n"
      "mov r6, #0\n"
      "mov r7, #0\n"
      "tst r2, #1\n"
      "add r2, r1, r2, lsl #3\n"
      "bne 2f\n"
      ".balign 4\n"
      "1:\n");
  __asm__(FOUR "2:\n" FOUR);
  __asm__(
      "cmp r1, r2\n"
      "bne 1b\n"
      "pop {r3}\n"
      "stm r3, {r4-r7}\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/dot_int4_4x1_portable.h"

void ps_dot_int4_4x1(const uint32_t *values, const uint8_t *filters, int32_t fours,
                     uint32_t *sums) {
  dot_int4_4x1_portable(values, filters, fours, sums);
}

#endif
