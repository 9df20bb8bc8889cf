/* Filters without their zeros times eight pixels, for cores that issue one instruction at a time: of
 * loads those stand together that the registers allow, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/multiply_sparse.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: row; r1: filters; r4 to r11: sums; r12: weight. */
#define ROW(loads)            \
  loads                       \
  "ldr r2, [r0]\n"            \
  "ldr r3, [r0, #4]\n"        \
  "smlabb r4, r2, r12, r4\n"  \
  "smlatb r5, r2, r12, r5\n"  \
  "smlabb r6, r3, r12, r6\n"  \
  "smlatb r7, r3, r12, r7\n"  \
  "ldr r2, [r0, #8]\n"        \
  "ldr r3, [r0, #12]\n"       \
  "smlabb r8, r2, r12, r8\n"  \
  "smlatb r9, r2, r12, r9\n"  \
  "smlabb r10, r3, r12, r10\n" \
  "smlatb r11, r3, r12, r11\n"

/* lr: steps to the next rows. */
#define PAIR(first, second, steps)                               \
  ROW("ldrsb r12, [r1, #" first "]\n"                            \
      "ldrb lr, [r1, #" steps "]\n")                             \
  "and r2, lr, #0x0F\n"                                          \
  "add r0, r0, r2, lsl #4\n"                                     \
  ROW("ldrsb r12, [r1, #" second "]\n")                          \
  "and lr, #0xF0\n"                                              \
  "add r0, lr\n"

/* Of a sum to an output; r0: lost. r2: twice the bias; r3: multiplier; r12: rounding; lr: shift. */
#define SCALE(sum)                        \
  "add " sum ", r2, " sum ", lsl #1\n"    \
  "smmlar r0, " sum ", r3, r12\n"         \
  "add " sum ", r0, " sum ", asr #31\n"   \
  "asr " sum ", lr\n"                     \
  "ssat " sum ", #8, " sum "\n"

/* The loop takes two pairs. Where their number is odd, it begins with the second, as if one came
 * before. */
__attribute__((naked)) void ps_multiply_sparse(PS_UNUSED const ps_sparse_block *block) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: rows, end of the channel, scaling, output, step, channels */
      "sub sp, #28\n"
      "ldm r0, {r1-r6}\n"
      "str r2, [sp]\n"
      "strd r3, r4, [sp, #8]\n"
      "strd r5, r6, [sp, #16]\n"
      "1:\n"
      "ldrb r12, [r1]\n"
      "ldrb lr, [r1, #1]\n"
      "ldr r0, [sp]\n"
      "mov r4, #0\n"
      "mov r5, #0\n"
      "mov r6, #0\n"
      "mov r7, #0\n"
      "mov r8, #0\n"
      "mov r9, #0\n"
      "mov r10, #0\n"
      "mov r11, #0\n"
      "and r2, lr, #0x0F\n"
      "and lr, #0xF0\n"
      "orr r12, r12, r2, lsl #8\n"
      "add r0, lr\n"
      "add r1, #2\n"
      "add r2, r12, r12, lsl #1\n"
      "add r2, r1\n"
      "str r2, [sp, #4]\n"
      "cmp r1, r2\n"
      "beq 4f\n"
      "tst r12, #1\n"
      "beq 2f\n"
      "sub r1, #3\n"
      "b 3f\n"
      ".balign 4\n"
      "2:\n");
  __asm__(PAIR("0", "1", "2") "3:\n" PAIR("3", "4", "5"));
  __asm__(
      "ldr lr, [sp, #4]\n"
      "add r1, #6\n"
      "cmp r1, lr\n"
      "bne 2b\n"
      "4:\n"
      "ldr r0, [sp, #8]\n"
      "str r1, [sp, #4]\n"
      "ldm r0!, {r2, r3, r12, lr}\n"
      "lsl r2, #1\n"
      "str r0, [sp, #8]\n"
      SCALE("r4") SCALE("r5") SCALE("r6") SCALE("r7")
      SCALE("r8") SCALE("r9") SCALE("r10") SCALE("r11"));
  __asm__(
      "ldr r0, [sp, #12]\n"
      "ldr r2, [sp, #16]\n"
      "ldr r3, [sp, #20]\n"
      "ldr r1, [sp, #4]\n"
      "add r12, r0, #1\n"
      "subs r3, #1\n"
      "str r12, [sp, #12]\n"
      "str r3, [sp, #20]\n"
      "strb r4, [r0]\n"
      "strb r5, [r0, r2]\n"
      "add r0, r0, r2, lsl #1\n"
      "strb r6, [r0]\n"
      "strb r7, [r0, r2]\n"
      "add r0, r0, r2, lsl #1\n"
      "strb r8, [r0]\n"
      "strb r9, [r0, r2]\n"
      "add r0, r0, r2, lsl #1\n"
      "strb r10, [r0]\n"
      "strb r11, [r0, r2]\n"
      "bne 1b\n"
      "add sp, #28\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/multiply_sparse_portable.h"

void ps_multiply_sparse(const ps_sparse_block *block) { multiply_sparse_portable(block); }

#endif
