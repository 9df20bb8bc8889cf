/* Filters without their zeros times eight pixels, for cores that issue two instructions at a time: an
 * entry takes eight cycles, each with a multiplication and one of the eight instructions that bring the
 * row's other words, and row and weight of the next entry. */
#include "penstock/multiply_sparse.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0: row; r1: filters; r4 to r11: sums. r2, r3: the row's first four pixels, and weight, which are there
 * when an entry begins; those of the next one are when it ends. */
#define ENTRY(weight, other, steps, bits, shift, next) \
  "smlabb r4, r2, " weight ", r4\n"                    \
  "ldrb " other ", [r1, #" steps "]\n"                 \
  "smlatb r5, r2, " weight ", r5\n"                    \
  "ldr r2, [r0, #8]\n"                                 \
  "smlabb r6, r3, " weight ", r6\n"                    \
  "and " other ", " other ", #" bits "\n"              \
  "smlatb r7, r3, " weight ", r7\n"                    \
  "ldr r3, [r0, #12]\n"                                \
  "smlabb r8, r2, " weight ", r8\n"                    \
  "add r0, r0, " other shift "\n"                      \
  "smlatb r9, r2, " weight ", r9\n"                    \
  "ldrsb " other ", " next "\n"                        \
  "smlabb r10, r3, " weight ", r10\n"                  \
  "ldr r2, [r0]\n"                                     \
  "smlatb r11, r3, " weight ", r11\n"                  \
  "ldr r3, [r0, #4]\n"

#define PAIR(second, steps, following)                        \
  ENTRY("r12", "lr", steps, "0x0F", ", lsl #4", second)       \
  ENTRY("lr", "r12", steps, "0xF0", "", following)

/* Parts of making an output of a sum. r2: twice the bias; r3: multiplier; r12: rounding; lr: shift. */
#define BIAS(sum) "add " sum ", r2, " sum ", lsl #1\n"
#define SCALE(product, sum) "smmlar " product ", " sum ", r3, r12\n"
#define SIGN(product, sum) "add " sum ", " product ", " sum ", asr #31\n"
#define SHIFT(sum) "asr " sum ", lr\n"
#define LIMIT(sum) "ssat " sum ", #8, " sum "\n"

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
      "ldrb lr, [r1, #1]\n"
      "ldrb r12, [r1]\n"
      "ldr r0, [sp]\n"
      "mov r4, #0\n"
      "and r2, lr, #0x0F\n"
      "mov r5, #0\n"
      "and lr, #0xF0\n"
      "orr r12, r12, r2, lsl #8\n"
      "mov r6, #0\n"
      "add r0, lr\n"
      "mov r7, #0\n"
      "add r1, #2\n"
      "mov r8, #0\n"
      "add r2, r12, r12, lsl #1\n"
      "mov r9, #0\n"
      "add lr, r1, r2\n"
      "mov r10, #0\n"
      "str lr, [sp, #4]\n"
      "mov r11, #0\n"
      "cmp r1, lr\n"
      "beq 4f\n"
      "tst r12, #1\n"
      "ldrsb r12, [r1]\n"
      "ldr r2, [r0]\n"
      "ldr r3, [r0, #4]\n"
      "beq 2f\n"
      "sub r1, #3\n"
      "b 3f\n"
      ".balign 4\n"
      "2:\n");
  __asm__(PAIR("[r1, #1]", "2", "[r1, #3]") "3:\n" PAIR("[r1, #4]", "5", "[r1, #6]!"));
  __asm__(
      "ldr lr, [sp, #4]\n"
      "cmp r1, lr\n"
      "bne 2b\n"
      "4:\n"
      "ldr r0, [sp, #8]\n"
      "str r1, [sp, #4]\n"
      "ldr r2, [r0]\n"
      "ldr r3, [r0, #4]\n"
      "ldr r12, [r0, #8]\n"
      "lsl r2, #1\n"
      "ldr lr, [r0, #12]\n"
      "add r0, #16\n"
      "str r0, [sp, #8]\n"
      /* Of additions with a shift there is one in a cycle, of multiplications as well. */
      BIAS("r4")
      SCALE("r0", "r4") BIAS("r5")
      SCALE("r1", "r5") BIAS("r6")
      SIGN("r0", "r4") SCALE("r0", "r6")
      BIAS("r7")
      SIGN("r1", "r5") SCALE("r1", "r7")
      SIGN("r0", "r6") SHIFT("r4")
      BIAS("r8") SHIFT("r5")
      SCALE("r0", "r8") BIAS("r9")
      SIGN("r1", "r7") SCALE("r1", "r9")
      LIMIT("r4") BIAS("r10"));
  __asm__(
      SIGN("r0", "r8") SCALE("r0", "r10")
      BIAS("r11") "ldr r2, [sp, #12]\n"
      SIGN("r1", "r9") SCALE("r1", "r11")
      LIMIT("r5") "ldr r3, [sp, #16]\n"
      SIGN("r0", "r10") SHIFT("r6")
      "strb r4, [r2]\n" SHIFT("r7")
      SIGN("r1", "r11") SHIFT("r8")
      "strb r5, [r2, r3]\n" SHIFT("r9")
      "add r0, r2, r3, lsl #1\n" SHIFT("r10")
      LIMIT("r6") SHIFT("r11")
      "add r4, r2, #1\n"
      LIMIT("r7") "strb r6, [r0]\n"
      LIMIT("r8") "str r4, [sp, #12]\n"
      "add r1, r0, r3, lsl #1\n"
      LIMIT("r9") "strb r7, [r0, r3]\n"
      LIMIT("r10") "ldr r0, [sp, #20]\n"
      "strb r8, [r1]\n"
      LIMIT("r11") "strb r9, [r1, r3]\n"
      "add r1, r1, r3, lsl #1\n"
      "subs r0, #1\n"
      "str r0, [sp, #20]\n"
      "strb r10, [r1]\n"
      "strb r11, [r1, r3]\n"
      "ldr r1, [sp, #4]\n"
      "bne 1b\n"
      "add sp, #28\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/multiply_sparse_portable.h"

void ps_multiply_sparse(const ps_sparse_block *block) { multiply_sparse_portable(block); }

#endif
