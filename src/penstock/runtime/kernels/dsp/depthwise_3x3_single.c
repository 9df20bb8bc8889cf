/* Rows of a depthwise convolution of 3x3, for cores that issue one instruction at a time: loads come
 * in groups, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/depthwise_3x3_code.h"

#if PS_HAS_DSP

#define TWO(row, first, last)                \
  "ldr.w r1, [r0, #4 * " row "]\n"           \
  "ldr.w r2, [r0, #4 * " row " + 256]\n"      \
  "smlad r4, r1, " first ", r4\n"            \
  "smlatb r5, r1, " first ", r5\n"           \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlad r5, r2, " last ", r5\n"

#define FOUR(row, first, last)               \
  "ldr.w r1, [r0, #4 * " row "]\n"           \
  "ldr.w r2, [r0, #4 * " row " + 256]\n"      \
  "ldr.w r3, [r0, #4 * " row " + 512]\n"     \
  "smlad r4, r1, " first ", r4\n"            \
  "smlatb r5, r1, " first ", r5\n"           \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlad r5, r2, " last ", r5\n"             \
  "smlad r6, r2, " first ", r6\n"            \
  "smlatb r7, r2, " first ", r7\n"           \
  "smlatb r6, " last ", r3, r6\n"            \
  "smlad r7, r3, " last ", r7\n"

#define TWO_APART(row, first, last)          \
  "ldr.w r1, [r0, #4 * " row "]\n"           \
  "ldr.w r2, [r0, #4 * " row " + 256]\n"      \
  "ldr.w r3, [r0, #4 * " row " + 512]\n"     \
  "smlad r4, r1, " first ", r4\n"            \
  "smlad r5, r2, " first ", r5\n"            \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlatb r5, " last ", r3, r5\n"

#define FOUR_APART(row, first, last)         \
  TWO_APART(row, first, last)                \
  "ldr.w r1, [r0, #4 * " row " + 768]\n"     \
  "ldr.w r2, [r0, #4 * " row " + 1024]\n"     \
  "smlad r6, r3, " first ", r6\n"            \
  "smlad r7, r1, " first ", r7\n"            \
  "smlatb r6, " last ", r1, r6\n"            \
  "smlatb r7, " last ", r2, r7\n"

#define ROWS(multiply) multiply("0", "r8", "r9") multiply("1", "r10", "r11") multiply("2", "r12", "lr")

__attribute__((naked)) void ps_depthwise_3x3(PS_UNUSED const ps_depthwise_rows *rows) {
  __asm__(PS_DEPTHWISE_CODE(ROWS(FOUR), ROWS(TWO), "512"));
}

__attribute__((naked)) void ps_depthwise_3x3_stride_2(
    PS_UNUSED const ps_depthwise_rows *rows) {
  __asm__(PS_DEPTHWISE_CODE(ROWS(FOUR_APART), ROWS(TWO_APART), "1024"));
}

#else

void ps_depthwise_3x3(const ps_depthwise_rows *rows) { depthwise_3x3_portable(rows, 1); }

void ps_depthwise_3x3_stride_2(const ps_depthwise_rows *rows) { depthwise_3x3_portable(rows, 2); }

#endif
