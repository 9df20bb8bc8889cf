/* Products of four channels of four bits with one row, for cores that issue two instructions at a time:
 * sixteen filters in eleven cycles, each multiplication beside a load or a bit field. */
#include "penstock/dot_int4_4x1.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: values; r1: filters; r2: their end; r4 to r7: sums; lr: lower halves of bytes. r3, r8: values and
 * filters that are there when four begin; those of the next are when it ends. */
#define FOUR(compare, conditional, ldr) \
  "and r9, r8, lr\n"                    \
  "ldr r11, [r1], #4\n"                 \
  "smlad r5, r9, r3, r5\n"              \
  "and r10, lr, r8, lsr #4\n"           \
  "uxtb16 r9, r9\n"                     \
  "smlad r7, r10, r3, r7\n"             \
  "uxtb16 r10, r10\n"                   \
  "smlad r4, r9, r3, r4\n"              \
  "ldr r12, [r0], #4\n"                 \
  "and r9, r11, lr\n"                   \
  "smlad r6, r10, r3, r6\n"             \
  "and r10, lr, r11, lsr #4\n"          \
  "smlad r5, r9, r12, r5\n"             \
  compare                               \
  "uxtb16 r9, r9\n"                     \
  "smlad r7, r10, r12, r7\n"            \
  "uxtb16 r10, r10\n"                   \
  conditional                           \
  ldr " r8, [r1], #4\n"                 \
  "smlad r4, r9, r12, r4\n"             \
  conditional                           \
  ldr " r3, [r0], #4\n"                 \
  "smlad r6, r10, r12, r6\n"

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
      "ldr r3, [r0], #4\n"
      "ldr r8, [r1], #4\n"
      "bne 2f\n"
      ".balign 4\n"
      "1:\n");
  __asm__(FOUR("", "", "ldr") "2:\n" FOUR("cmp r1, r2\n", "it ne\n", "ldrne"));
  __asm__(
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
