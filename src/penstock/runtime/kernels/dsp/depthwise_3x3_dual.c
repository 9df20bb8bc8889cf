/* Rows of a depthwise convolution of 3x3, for cores that issue two instructions at a time: each load
 * stands beside a multiplication, two cycles before its word is used. */
#include "penstock/depthwise_3x3_code.h"

#if PS_HAS_DSP

#define LOAD(register, row, offset) "ldr.w " register ", [r0, #4 * " row " + " offset "]\n"

/* Words of the first row; each row but the last loads those of the next. */
#define NO_LOAD(register, row, offset) ""
#define BEGIN LOAD("r1", "0", "0") LOAD("r2", "0", "256") LOAD("r3", "0", "512")

#define TWO(row, first, last, next)          \
  "smlad r4, r1, " first ", r4\n"            \
  "smlatb r5, r1, " first ", r5\n"           \
  next("r1", row, "4")                       \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlad r5, r2, " last ", r5\n"             \
  next("r2", row, "260")

#define FOUR(row, first, last, next)         \
  "smlad r4, r1, " first ", r4\n"            \
  "smlatb r5, r1, " first ", r5\n"           \
  next("r1", row, "4")                       \
  "smlatb r4, " last ", r2, r4\n"            \
  "smlad r5, r2, " last ", r5\n"             \
  "smlad r6, r2, " first ", r6\n"            \
  "smlatb r7, r2, " first ", r7\n"           \
  next("r2", row, "260")                      \
  "smlatb r6, " last ", r3, r6\n"            \
  "smlad r7, r3, " last ", r7\n"             \
  next("r3", row, "516")

#define TWO_APART(row, first, last, next)    \
  "smlad r4, r1, " first ", r4\n"            \
  next("r1", row, "4")                       \
  "smlad r5, r2, " first ", r5\n"            \
  "smlatb r4, " last ", r2, r4\n"            \
  next("r2", row, "260")                      \
  "smlatb r5, " last ", r3, r5\n"            \
  next("r3", row, "516")

#define FOUR_APART(row, first, last, next)   \
  "smlad r4, r1, " first ", r4\n"            \
  LOAD("r1", row, "768")                     \
  "smlad r5, r2, " first ", r5\n"            \
  "smlatb r4, " last ", r2, r4\n"            \
  LOAD("r2", row, "1024")                     \
  "smlad r6, r3, " first ", r6\n"            \
  "smlatb r5, " last ", r3, r5\n"            \
  next("r3", row, "516")                     \
  "smlad r7, r1, " first ", r7\n"            \
  "smlatb r6, " last ", r1, r6\n"            \
  next("r1", row, "4")                       \
  "smlatb r7, " last ", r2, r7\n"            \
  next("r2", row, "260")

#define ROWS(multiply)              \
  BEGIN                             \
  "mov r5, r4\n"                    \
  "mov r6, r4\n"                    \
  "mov r7, r4\n"                    \
  multiply("0", "r8", "r9", LOAD)   \
  multiply("1", "r10", "r11", LOAD) \
  multiply("2", "r12", "lr", NO_LOAD)

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
