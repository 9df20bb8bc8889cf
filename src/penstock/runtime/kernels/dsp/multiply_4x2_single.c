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
#define LOAD_FIRST(filters, pixels)    \
  "ldr.w r2, [r1, #" pixels "]\n"      \
  "ldr.w r3, [r1, #" pixels " + 4]\n"  \
  "ldr.w r12, [r0, #" filters "]\n"    \
  "ldr.w lr, [r0, #" filters " + 4]\n"

#define LOAD_OTHERS(filters)            \
  "ldr.w r12, [r0, #" filters " + 8]\n" \
  "ldr.w lr, [r0, #" filters " + 12]\n"

#define PAIR(filters, pixels)  \
  LOAD_FIRST(filters, pixels)  \
  "smlad r4, r12, r2, r4\n"    \
  "smlad r5, r12, r3, r5\n"    \
  "smlad r6, lr, r2, r6\n"     \
  "smlad r7, lr, r3, r7\n"     \
  LOAD_OTHERS(filters)         \
  "smlad r8, r12, r2, r8\n"    \
  "smlad r9, r12, r3, r9\n"    \
  "smlad r10, lr, r2, r10\n"   \
  "smlad r11, lr, r3, r11\n"

/* The same of sums that are 0. */
#define FIRST_PAIR          \
  LOAD_FIRST("0", "0")      \
  "smuad r4, r12, r2\n"     \
  "smuad r5, r12, r3\n"     \
  "smuad r6, lr, r2\n"      \
  "smuad r7, lr, r3\n"      \
  LOAD_OTHERS("0")          \
  "smuad r8, r12, r2\n"     \
  "smuad r9, r12, r3\n"     \
  "smuad r10, lr, r2\n"     \
  "smuad r11, lr, r3\n"

/* Makes one channel of both pixels; r0: scaling, with twice the bias; r12 and lr are lost. Halves are
 * rounded by the sign of the sum, not of the product, which is 0 where these differ, and so is the
 * output. */
#define SCALE(first, second)                         \
  "ldm r0!, {r1, r2, r3, r12}\n"                     \
  "add " first ", r1, " first ", lsl #1\n"           \
  "add " second ", r1, " second ", lsl #1\n"         \
  "smmlar r1, " first ", r2, r3\n"                   \
  "smmlar lr, " second ", r2, r3\n"                  \
  "add " first ", r1, " first ", asr #31\n"          \
  "add " second ", lr, " second ", asr #31\n"        \
  "asr " first ", r12\n"                             \
  "asr " second ", r12\n"                            \
  "ssat " first ", #8, " first "\n"                  \
  "ssat " second ", #8, " second "\n"

/* r0, r1: outputs. All stores come together, because a load would wait for the one before. */
#define STORE(channel, first, second)     \
  "strb " first ", [r0, #" channel "]\n"  \
  "strb " second ", [r1, #" channel "]\n"

/* The loop takes eight pairs of taps, those behind the first. Where their number is not a multiple of
 * eight, the first round begins in the middle, with filters and pixels as far before their beginning.
 * One loop for all is small enough for the instruction lines of a flash accelerator. */
__attribute__((naked)) void ps_multiply_4x2(PS_UNUSED const ps_block_4x2 *block) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: filters, pixels, bytes that these are moved by behind the first pair, where the loop is
       * entered, its end, output, step, pixel pairs, scaling of four channels */
      "sub sp, #100\n"
      "ldm r0, {r1-r7}\n"
      "add r9, r1, r6, lsl #4\n"
      "rsb r8, r6, #1\n"
      "and r8, #7\n"
      "rsb r10, r8, #1\n"
      "lsl r10, #3\n"
      "adr r11, 2f\n"
      "mov r12, #56\n"
      "mla r11, r8, r12, r11\n"
      "orr r11, #1\n"
      "strd r1, r2, [sp]\n"
      "strd r10, r11, [sp, #8]\n"
      "strd r9, r4, [sp, #16]\n"
      "strd r5, r7, [sp, #24]\n"
      "add r12, sp, #32\n"
      "ldm r3!, {r4-r11}\n"
      "add r4, r4\n"
      "add r8, r8\n"
      "stm r12!, {r4-r11}\n"
      "ldm r3, {r4-r11}\n"
      "add r4, r4\n"
      "add r8, r8\n"
      "stm r12, {r4-r11}\n"
      ".balign 4\n"
      "1:\n"
      "ldr r1, [sp, #4]\n"
      "ldr r0, [sp]\n");
  __asm__(FIRST_PAIR);
  __asm__(
      "ldrd r2, r3, [sp, #8]\n"
      "add.w r1, r1, r2\n"
      "add.w r0, r0, r2, lsl #1\n"
      "bx r3\n"
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
      "add r0, sp, #32\n"
      "str r1, [sp, #4]\n"
      SCALE("r4", "r5") SCALE("r6", "r7") SCALE("r8", "r9") SCALE("r10", "r11")
      "ldr r0, [sp, #20]\n"
      "ldr r2, [sp, #24]\n"
      "ldr r3, [sp, #28]\n"
      "add r1, r0, r2\n"
      "add r2, r1, r2\n"
      "subs r3, #1\n"
      "str r2, [sp, #20]\n"
      "str r3, [sp, #28]\n"
      STORE("0", "r4", "r5") STORE("1", "r6", "r7") STORE("2", "r8", "r9") STORE("3", "r10", "r11")
      "bne 1b\n"
      "add sp, #100\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/multiply_4x2_portable.h"

void ps_multiply_4x2(const ps_block_4x2 *block) { multiply_4x2_portable(block); }

#endif
