/* A channel without its zeros times a row, for cores that issue one instruction at a time: loads stand
 * together, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/dot_sparse.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: sum; r1: value of the next entry; r2: filters; r3: their end. */
__attribute__((naked)) int32_t ps_dot_sparse(PS_UNUSED const uint8_t *channel,
                                             PS_UNUSED const int8_t *values) {
  __asm__(
      "push {r4-r11, lr}\n"
      "ldrb r12, [r0, #1]\n"
      "ldrb r3, [r0]\n"
      "add r2, r0, #2\n"
      "mov r0, #0\n"
      "add r1, r1, r12, lsr #4\n"
      "and r12, #0x0F\n"
      "orr r3, r3, r12, lsl #8\n"
      "tst r3, #1\n"
      "add r3, r3, r3, lsl #1\n"
      "add r3, r2\n"
      "beq 1f\n"
      /* an odd number: one before all others */
      "ldrsb r4, [r2]\n"
      "ldrsb r5, [r2, #1]\n"
      "ldrb r6, [r2, #2]\n"
      "ldrsb r7, [r1]\n"
      "and r8, r6, #0x0F\n"
      "add r1, r8\n"
      "ldrsb r8, [r1]\n"
      "add r1, r1, r6, lsr #4\n"
      "smulbb r0, r7, r4\n"
      "smlabb r0, r8, r5, r0\n"
      "add r2, #3\n"
      "1:\n"
      "cmp r2, r3\n"
      "beq 3f\n"
      ".balign 4\n"
      "2:\n"
      "ldrsb r4, [r2]\n"
      "ldrsb r5, [r2, #1]\n"
      "ldrb r6, [r2, #2]\n"
      "ldrsb r7, [r2, #3]\n"
      "ldrsb r8, [r2, #4]\n"
      "ldrb r9, [r2, #5]\n"
      "and r10, r6, #0x0F\n"
      "add r10, r1\n"
      "add r11, r10, r6, lsr #4\n"
      "and r12, r9, #0x0F\n"
      "add r12, r11\n"
      "add r2, #6\n"
      "ldrsb lr, [r1]\n"
      "ldrsb r10, [r10]\n"
      "ldrsb r11, [r11]\n"
      "ldrsb r6, [r12]\n"
      "add r1, r12, r9, lsr #4\n"
      "smlabb r0, lr, r4, r0\n"
      "smlabb r0, r10, r5, r0\n"
      "smlabb r0, r11, r7, r0\n"
      "cmp r2, r3\n"
      "smlabb r0, r6, r8, r0\n"
      "bne 2b\n"
      "3:\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/sparse_filters.h"

int32_t ps_dot_sparse(const uint8_t *channel, const int8_t *values) {
  return (int32_t)ps_sparse_dot(channel, values, 0);
}

#endif
