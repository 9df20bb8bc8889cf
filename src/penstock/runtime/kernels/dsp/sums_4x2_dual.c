/* Sums of four filters and two columns, for cores that issue two instructions at a time: each load
 * stands beside a multiplication, two cycles before its word is used, as in multiply_4x2_dual.c. */
#include "penstock/sums_4x2.h"

#include "penstock/dsp.h"

#if PS_HAS_DSP

/* r0, r1: filters and columns; r4 to r7: sums of the first column; r8 to r11: of the second. r2, r3:
 * two columns, r12, lr: two filters, which are there when a pair begins; those of the next are when
 * it ends, but for lr. */
#define PAIR(filters, columns)            \
  "smlad r4, r12, r2, r4\n"               \
  "ldr.w lr, [r0, #" filters " + 4]\n"    \
  "smlad r8, r12, r3, r8\n"               \
  "ldr.w r12, [r0, #" filters " + 8]\n"   \
  "smlad r5, lr, r2, r5\n"                \
  "smlad r9, lr, r3, r9\n"                \
  "ldr.w lr, [r0, #" filters " + 12]\n"   \
  "smlad r6, r12, r2, r6\n"               \
  "smlad r10, r12, r3, r10\n"             \
  "ldr.w r12, [r0, #" filters " + 16]\n"  \
  "smlad r7, lr, r2, r7\n"                \
  "ldr.w r2, [r1, #" columns " + 8]\n"    \
  "smlad r11, lr, r3, r11\n"              \
  "ldr.w r3, [r1, #" columns " + 12]\n"

/* The loop takes eight pairs. Where their number is not a multiple of eight, the first round begins in
 * the middle, with filters and columns as far before their beginning. */
__attribute__((naked)) void ps_sum_4x2(PS_UNUSED const ps_block_sums *block) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: filters and where the loop is entered, sums, step, column pairs, end of filters, bytes of
       * columns before the beginning, filters where they are */
      "sub sp, #36\n"
      "ldm r0, {r1-r6}\n"
      "rsb r8, r5, #0\n"
      "and r8, #7\n"
      "add r9, r1, r5, lsl #4\n"
      "lsl r10, r8, #3\n"
      "str r1, [sp, #28]\n"
      "sub r1, r1, r8, lsl #4\n"
      "adr r11, 2f\n"
      "mov r12, #56\n"
      "mla r11, r8, r12, r11\n"
      "orr r11, #1\n"
      "strd r1, r11, [sp]\n"
      "strd r3, r4, [sp, #8]\n"
      "strd r6, r9, [sp, #16]\n"
      "str r10, [sp, #24]\n"
      "mov r1, r2\n"
      "1:\n"
      "ldm sp, {r0, lr}\n"
      "ldr r2, [r1]\n"
      "ldr r3, [r1, #4]\n"
      "ldr r12, [sp, #28]\n"
      "ldr r4, [sp, #24]\n"
      "sub r1, r4\n"
      "ldmdb r12, {r4-r7}\n"
      "ldr r12, [r12]\n"
      "mov r8, r4\n"
      "mov r9, r5\n"
      "mov r10, r6\n"
      "mov r11, r7\n"
      "bx lr\n"
      ".balign 4\n"
      "2:\n");
  __asm__(PAIR("0", "0") PAIR("16", "8") PAIR("32", "16") PAIR("48", "24"));
  __asm__(PAIR("64", "32") PAIR("80", "40") PAIR("96", "48") PAIR("112", "56"));
  __asm__(
      "ldr.w lr, [sp, #20]\n"
      "add.w r0, r0, #128\n"
      "add.w r1, r1, #64\n"
      "cmp r0, lr\n"
      "bne 2b\n"
      "add lr, sp, #8\n"
      "ldm lr, {r0, r2, r3}\n"
      "stm r0, {r4-r11}\n"
      "add r0, r2\n"
      "subs r3, #1\n"
      "str r0, [sp, #8]\n"
      "str r3, [sp, #16]\n"
      "bne 1b\n"
      "add sp, #36\n"
      "pop {r4-r11, pc}\n");
}

#else

#include "penstock/sums_4x2_portable.h"

void ps_sum_4x2(const ps_block_sums *block) { sum_4x2_portable(block); }

#endif
