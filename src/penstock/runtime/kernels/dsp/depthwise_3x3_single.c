/* Rows of a depthwise convolution of 3x3, for cores that issue one instruction at a time: loads come
 * in groups, of which a Cortex-M4 takes N in N + 1 cycles. */
#include "penstock/depthwise_3x3_code.h"

#if PS_HAS_DSP

#define LOAD_TWO(row)                        \
  "ldr.w r1, [r0, #4 * " row "]\n"           \
  "ldr.w r2, [r0, #4 * " row " + 256]\n"

#define LOAD_THREE(row)                      \
  LOAD_TWO(row)                              \
  "ldr.w r3, [r0, #4 * " row " + 512]\n"

/* Products of the first two taps; the row that is first adds them to the bias, in r4. */
#define FIRST_TWO                     \
  "smlatb r5, r1, r8, r4\n"                  \
  "smlad r4, r1, r8, r4\n"

#define FIRST_FOUR                           \
  "smlatb r7, r2, r8, r4\n"                  \
  "smlad r6, r2, r8, r4\n"                   \
  FIRST_TWO

#define MORE_TWO(first)                      \
  "smlad r4, r1, " first ", r4\n"            \
  "smlatb r5, r1, " first ", r5\n"

#define MORE_FOUR(first)                     \
  MORE_TWO(first)                            \
  "smlad r6, r2, " first ", r6\n"            \
  "smlatb r7, r2, " first ", r7\n"

/* Products of the last two taps. */
#define LAST_TWO(last)                       \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlad r5, r2, " last ", r5\n"

#define LAST_FOUR(last)                      \
  LAST_TWO(last)                             \
  "smlatb r6, " last ", r3, r6\n"            \
  "smlad r7, r3, " last ", r7\n"

#define TWO                                                  \
  LOAD_TWO("0") FIRST_TWO LAST_TWO("r9")                   \
  LOAD_TWO("1") MORE_TWO("r10") LAST_TWO("r11")              \
  LOAD_TWO("2") MORE_TWO("r12") LAST_TWO("lr")

#define FOUR                                                 \
  LOAD_THREE("0") FIRST_FOUR LAST_FOUR("r9")                 \
  LOAD_THREE("1") MORE_FOUR("r10") LAST_FOUR("r11")          \
  LOAD_THREE("2") MORE_FOUR("r12") LAST_FOUR("lr")

/* The same of outputs whose first columns are two apart. */
#define LAST_TWO_APART(last)                 \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlatb r5, " last ", r3, r5\n"

#define MORE_TWO_APART(first)                \
  "smlad r4, r1, " first ", r4\n"            \
  "smlad r5, r2, " first ", r5\n"

#define OTHER_TWO_APART(row, first, last, r6) \
  "ldr.w r1, [r0, #4 * " row " + 768]\n"     \
  "ldr.w r2, [r0, #4 * " row " + 1024]\n"    \
  "smlad r6, r3, " first ", " r6 "\n"        \
  "smlad r7, r1, " first ", r7\n"            \
  "smlatb r6, " last ", r1, r6\n"            \
  "smlatb r7, " last ", r2, r7\n"

#define FIRST_TWO_APART                      \
  "smlad r5, r2, r8, r4\n"                   \
  "smlad r4, r1, r8, r4\n"                   \
  LAST_TWO_APART("r9")

#define TWO_APART                                                  \
  LOAD_THREE("0") FIRST_TWO_APART                                  \
  LOAD_THREE("1") MORE_TWO_APART("r10") LAST_TWO_APART("r11")      \
  LOAD_THREE("2") MORE_TWO_APART("r12") LAST_TWO_APART("lr")

#define FOUR_APART                                                 \
  "mov r7, r4\n"                                                   \
  LOAD_THREE("0") FIRST_TWO_APART                                  \
  OTHER_TWO_APART("0", "r8", "r9", "r7")                           \
  LOAD_THREE("1") MORE_TWO_APART("r10") LAST_TWO_APART("r11")      \
  OTHER_TWO_APART("1", "r10", "r11", "r6")                         \
  LOAD_THREE("2") MORE_TWO_APART("r12") LAST_TWO_APART("lr")       \
  OTHER_TWO_APART("2", "r12", "lr", "r6")

__attribute__((naked)) void ps_depthwise_3x3(PS_UNUSED const ps_depthwise_rows *rows) {
  __asm__(PS_DEPTHWISE_CODE(FOUR, TWO, "512"));
}

__attribute__((naked)) void ps_depthwise_3x3_stride_2(
    PS_UNUSED const ps_depthwise_rows *rows) {
  __asm__(PS_DEPTHWISE_CODE(FOUR_APART, TWO_APART, "1024"));
}

#else

void ps_depthwise_3x3(const ps_depthwise_rows *rows) { depthwise_3x3_portable(rows, 1); }

void ps_depthwise_3x3_stride_2(const ps_depthwise_rows *rows) { depthwise_3x3_portable(rows, 2); }

#endif
