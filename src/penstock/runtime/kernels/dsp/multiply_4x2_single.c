/* Products of four channels with two pixels, for cores that issue one instruction at a time.
 *
 * A Cortex-M4 takes N + 1 cycles for N loads in a row, so that they come in groups as large as the
 * registers allow: sixteen products in as many cycles. A Cortex-M33 takes fourteen.
 */
#include "penstock/multiply_4x2.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0, r1: filters and pixels; r4, r6, r8, r10: sums of the first pixel; r5, r7, r9, r11: of the
 * second. */
#define PAIR(filters, pixels)           \
  "ldr.w r2, [r1, #" pixels "]\n"       \
  "ldr.w r3, [r1, #" pixels " + 4]\n"   \
  "ldr.w r12, [r0, #" filters "]\n"     \
  "ldr.w lr, [r0, #" filters " + 4]\n"  \
  "smlad r4, r12, r2, r4\n"             \
  "smlad r5, r12, r3, r5\n"             \
  "smlad r6, lr, r2, r6\n"              \
  "smlad r7, lr, r3, r7\n"              \
  "ldr.w r12, [r0, #" filters " + 8]\n" \
  "ldr.w lr, [r0, #" filters " + 12]\n" \
  "smlad r8, r12, r2, r8\n"             \
  "smlad r9, r12, r3, r9\n"             \
  "smlad r10, lr, r2, r10\n"            \
  "smlad r11, lr, r3, r11\n"

/* Makes one channel of both pixels; r0: scaling; one and other are lost. Halves are rounded by the sign
 * of the sum, not of the product, which is 0 where these differ, and so is the output. */
#define SCALE(channel, first, second, one, other) \
  "ldr.w r1, [r0, #16 * " channel " + 4]\n"       \
  "ldr.w r2, [r0, #16 * " channel " + 8]\n"       \
  "ldr.w r3, [r0, #16 * " channel " + 12]\n"      \
  "add " first ", " first "\n"                    \
  "add " second ", " second "\n"                  \
  "smmlar " one ", " first ", r1, r2\n"           \
  "smmlar " other ", " second ", r1, r2\n"        \
  "add " first ", " one ", " first                \
  ", asr #31\n"                                   \
  "add " second ", " other ", " second            \
  ", asr #31\n"                                   \
  "asr " first ", r3\n"                           \
  "asr " second ", r3\n"                          \
  "ssat " first ", #8, " first "\n"               \
  "ssat " second ", #8, " second "\n"

/* r12, lr: outputs. */
#define STORE(channel, first, second)       \
  "strb " first ", [r12, #" channel "]\n"   \
  "strb " second ", [lr, #" channel "]\n"

/* The loop takes eight pairs of taps. Where their number is not a multiple of eight, the first round
 * begins in the middle, with filters and pixels as far before their beginning. One loop for all
 * is small enough for the instruction lines of a flash accelerator. */
__attribute__((naked)) void ps_multiply_4x2(PS_UNUSED const ps_block_4x2 *block) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: filters, pixels, scaling, where the loop is entered, its end, output, step, pairs */
      "sub sp, #40\n"
      "ldm r0, {r1-r7}\n"
      "rsb r8, r6, #0\n"
      "and r8, #7\n"
      "add r9, r1, r6, lsl #4\n"
      "lsl r10, r8, #3\n"
      "str r10, [sp, #32]\n"
      "sub r1, r1, r8, lsl #4\n"
      "adr r11, 2f\n"
      "mov r12, #56\n"
      "mla r11, r8, r12, r11\n"
      "orr r11, #1\n"
      "stm sp, {r1-r3}\n"
      "strd r11, r9, [sp, #12]\n"
      "strd r4, r5, [sp, #20]\n"
      "str r7, [sp, #28]\n"
      "1:\n"
      "ldm sp, {r0, r1, r12, lr}\n"
      "ldr r4, [r12]\n"
      "ldr r6, [r12, #16]\n"
      "ldr r8, [r12, #32]\n"
      "ldr r10, [r12, #48]\n"
      "mov r5, r4\n"
      "mov r7, r6\n"
      "mov r9, r8\n"
      "mov r11, r10\n"
      "ldr r2, [sp, #32]\n"
      "sub r1, r2\n"
      "bx lr\n"
      ".balign 4\n"
      "2:\n");
  __asm__(PAIR("0", "0") PAIR("16", "8") PAIR("32", "16") PAIR("48", "24"));
  __asm__(PAIR("64", "32") PAIR("80", "40") PAIR("96", "48") PAIR("112", "56"));
  __asm__(
      "ldr.w r12, [sp, #16]\n"
      "add.w r0, r0, #128\n"
      "add.w r1, r1, #64\n"
      "cmp r0, r12\n"
      "bne 2b\n"
      "ldr r0, [sp, #8]\n"
      "str r1, [sp, #4]\n"
      SCALE("0", "r4", "r5", "r12", "lr")
      "ldr r12, [sp, #20]\n"
      "ldr r3, [sp, #24]\n"
      "add lr, r12, r3\n"
      "add r3, lr, r3\n"
      "str r3, [sp, #20]\n"
      STORE("0", "r4", "r5")
      SCALE("1", "r6", "r7", "r4", "r5") STORE("1", "r6", "r7")
      SCALE("2", "r8", "r9", "r4", "r5") STORE("2", "r8", "r9")
      SCALE("3", "r10", "r11", "r4", "r5") STORE("3", "r10", "r11")
      "ldr r0, [sp, #28]\n"
      "subs r0, #1\n"
      "str r0, [sp, #28]\n"
      "bne 1b\n"
      "add sp, #40\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/multiply_4x2_portable.h"

void ps_multiply_4x2(const ps_block_4x2 *block) { multiply_4x2_portable(block); }

#endif
