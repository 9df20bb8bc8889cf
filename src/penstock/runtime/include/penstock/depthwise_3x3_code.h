/* The code that variants of ps_depthwise_3x3 have in common; each defines how words are multiplied.
 * Internal to them.
 *
 * r0: columns; r1, r2, r3: words of two columns; r4 to r7: sums of four outputs, of which r4 alone is
 * there when a variant begins; r8, r10, r12: the first two taps of each row; r9, r11, lr: the last
 * two.
 */
#ifndef PENSTOCK_DEPTHWISE_3X3_CODE_H
#define PENSTOCK_DEPTHWISE_3X3_CODE_H

#include "penstock/depthwise_3x3.h"
#include "penstock/dsp.h"

#if PS_HAS_DSP

/* Makes outputs of two sums; r1: multiplier, r2: rounding, r3: shift. Halves are rounded by the sign of
 * the sum, not of the product, which is 0 where these differ, and so is the output. */
#define PS_SCALE_TWO(a, b)               \
  "smmlar r11, " a ", r1, r2\n"          \
  "smmlar r12, " b ", r1, r2\n"          \
  "add " a ", r11, " a ", asr #31\n"     \
  "add " b ", r12, " b ", asr #31\n"     \
  "asr " a ", r3\n"                      \
  "asr " b ", r3\n"                      \
  "ssat " a ", #8, " a "\n"              \
  "ssat " b ", #8, " b "\n"

#define PS_DEPTHWISE_CODE(multiply_four, multiply_two, advance)       \
  "push {r4-r11, lr}\n"                                               \
  "sub sp, #76\n"                                                     \
  "mov r12, sp\n"                                                     \
  "ldm r0!, {r1-r10}\n"                                               \
  "stm r12!, {r1-r10}\n"                                              \
  "ldm r0, {r1-r9}\n"                                                 \
  "stm r12, {r1-r9}\n"                                                \
  "1:\n" /* a row */                                                  \
  "ldr r0, [sp, #56]\n"                                               \
  "ldr r1, [sp, #60]\n"                                               \
  "ldr r2, [sp, #64]\n"                                               \
  "ldr r3, [sp, #68]\n"                                               \
  "ldr r10, [sp, #72]\n"                                              \
  "add r1, r0\n"                                                      \
  "add r3, r2\n"                                                      \
  "str r1, [sp, #56]\n"                                               \
  "str r2, [sp, #40]\n"                                               \
  "str r3, [sp, #64]\n"                                               \
  "str r10, [sp, #48]\n"                                              \
  "cmp r10, #2\n"                                                     \
  "ble 4f\n"                                                          \
  "2:\n" /* four outputs, of which the last may be missing */         \
  "ldm sp, {r4, r8, r9, r10, r11, r12, lr}\n"                         \
  multiply_four                                                       \
  "add.w r0, r0, #" advance "\n"                                      \
  "ldr r1, [sp, #28]\n"                                               \
  "ldr r2, [sp, #32]\n"                                               \
  "ldr r3, [sp, #36]\n"                                               \
  "ldr r8, [sp, #40]\n"                                               \
  "ldr r9, [sp, #44]\n"                                               \
  "ldr r10, [sp, #48]\n"                                              \
  PS_SCALE_TWO("r4", "r5")                                            \
  "strb r4, [r8]\n"                                                   \
  PS_SCALE_TWO("r6", "r7")                                            \
  "strb r5, [r8, r9]\n"                                               \
  "add r8, r8, r9, lsl #1\n"                                          \
  "subs r10, #4\n"                                                    \
  "strb r6, [r8]\n"                                                   \
  "blt 3f\n"                                                          \
  "strb r7, [r8, r9]\n"                                               \
  "add r8, r8, r9, lsl #1\n"                                          \
  "cmp r10, #2\n"                                                     \
  "str r8, [sp, #40]\n"                                               \
  "str r10, [sp, #48]\n"                                              \
  "bgt 2b\n"                                                          \
  "cmp r10, #0\n"                                                     \
  "bne 4f\n"                                                          \
  "3:\n"                                                              \
  "ldr r4, [sp, #52]\n"                                               \
  "subs r4, #1\n"                                                     \
  "str r4, [sp, #52]\n"                                               \
  "bne 1b\n"                                                          \
  "add sp, #76\n"                                                     \
  "pop {r4-r11, pc}\n"                                                \
  "4:\n" /* the last one or two */                                    \
  "ldm sp, {r4, r8, r9, r10, r11, r12, lr}\n"                         \
  multiply_two                                                        \
  "add r11, sp, #28\n"                                                \
  "ldm r11, {r1, r2, r3, r8, r9, r10}\n"                              \
  PS_SCALE_TWO("r4", "r5")                                            \
  "strb r4, [r8]\n"                                                   \
  "cmp r10, #2\n"                                                     \
  "blt 3b\n"                                                          \
  "strb r5, [r8, r9]\n"                                               \
  "b 3b\n"

#else

static inline int8_t depthwise_output(const ps_depthwise_rows *rows, int32_t sum) {
  const int32_t scaled = ps_multiply_upper(sum, rows->multiplier);
  const int32_t value = (scaled + (scaled >> 31) + rows->rounding) >> rows->shift;
  return (int8_t)(value < -128 ? -128 : value > 127 ? 127 : value);
}

static inline void depthwise_3x3_portable(const ps_depthwise_rows *rows, int32_t stride) {
  for (int32_t y = 0; y < rows->rows; ++y) {
    const uint32_t *columns = rows->columns + y * (rows->row_step / 4);
    int8_t *output = rows->output + y * rows->output_row_step;
    for (int32_t x = 0; x < rows->width; ++x) {
      const uint32_t *seen = columns + x * stride / 2 * PS_DEPTHWISE_PITCH;
      int32_t sum = rows->bias;
      for (int32_t tap = 0; tap < 3; ++tap) {
        const uint32_t left = seen[tap];
        const uint32_t right = seen[tap + PS_DEPTHWISE_PITCH];
        const uint32_t first = rows->filter[2 * tap];
        const uint32_t last = rows->filter[2 * tap + 1];
        if (x * stride % 2 == 0) {
          sum = ps_multiply_low_high(right, last, ps_multiply_pairs(left, first, sum));
        } else {
          sum = ps_multiply_pairs(right, last, ps_multiply_high_low(left, first, sum));
        }
      }
      *output = depthwise_output(rows, sum);
      output += rows->output_step;
    }
  }
}

#endif

#endif
