/* A channel without its zeros times a row, for cores that issue two instructions at a time: two pairs of
 * entries in eleven cycles. What a Cortex-M7 loads as a byte it can multiply two cycles later, and use as
 * an address after three, so that pairs are loaded while those before them are multiplied. */
#include "penstock/dot_sparse.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: sum; r1: value of the next entry; r2: filters; r3: their end; r4, r5, r6: weights and steps of the
 * first pair, r7, r8, r9: of the second; r10, r11: values; r12: step. */
__attribute__((naked)) int32_t ps_dot_sparse(PS_UNUSED const uint8_t *channel,
                                             PS_UNUSED const int8_t *values) {
  __asm__(
      "push {r4-r11, lr}\n"
      "ldrb r12, [r0, #1]\n"
      "ldrb r3, [r0]\n"
      "add r2, r0, #2\n"
      "mov r0, #0\n"
      "and r4, r12, #0x0F\n"
      "add r1, r1, r12, lsr #4\n"
      "orr r3, r3, r4, lsl #8\n"
      "mov r11, #0\n"
      "tst r3, #1\n"
      "add r3, r3, r3, lsl #1\n"
      "add r3, r2\n"
      "beq 1f\n"
      /* an odd number: begin with the second of two */
      "ldrb r9, [r2, #2]\n"
      "ldrsb r7, [r2]\n"
      "ldrsb r8, [r2, #1]\n"
      "sub r2, #3\n"
      "mov r5, #0\n"
      "and r12, r9, #0x0F\n"
      "b 3f\n"
      "1:\n"
      "cmp r2, r3\n"
      "beq 4f\n"
      "ldrb r6, [r2, #2]\n"
      "ldrsb r4, [r2]\n"
      "ldrsb r5, [r2, #1]\n"
      ".balign 4\n"
      "2:\n"
      "ldrsb r10, [r1]\n"
      "and r12, r6, #0x0F\n"
      "ldrb r9, [r2, #5]\n"
      "add r1, r12\n"
      "ldrsb r7, [r2, #3]\n"
      "smlabb r0, r10, r4, r0\n"
      "ldrsb r11, [r1]\n"
      "add r1, r1, r6, lsr #4\n"
      "ldrsb r8, [r2, #4]\n"
      "and r12, r9, #0x0F\n"
      "3:\n"
      "ldrsb r10, [r1]\n"
      "smlabb r0, r11, r5, r0\n"
      "ldrb r6, [r2, #8]\n"
      "add r1, r12\n"
      "ldrsb r4, [r2, #6]!\n"
      "smlabb r0, r10, r7, r0\n"
      "ldrsb r11, [r1]\n"
      "add r1, r1, r9, lsr #4\n"
      "ldrsb r5, [r2, #1]\n"
      "cmp r2, r3\n"
      "smlabb r0, r11, r8, r0\n"
      "bne 2b\n"
      "4:\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/sparse_filters.h"

int32_t ps_dot_sparse(const uint8_t *channel, const int8_t *values) {
  return (int32_t)ps_sparse_dot(channel, values, 0);
}

#endif
