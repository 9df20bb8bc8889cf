/* The transforms of Winograd F(2x2, 3x3).
 *
 * Assembly, because compilers have too few registers for it: these take half the time.
 */
#include "penstock/winograd.h"

#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"

enum { SIDE = 4, PITCH = 8 };

#if PS_HAS_DSP

/* Transforms a row of two channels; rotation picks them. c comes from a, d and more; the result is
 * a, spare, c, d. */
#define ROW(rotation, a, b, c, d, spare)       \
  "add " spare ", r0, r2\n"                    \
  "ldr " a ", [r0]\n"                          \
  "ldr " b ", [r0, r2]\n"                      \
  "ldr " c ", [r0, r2, lsl #1]\n"              \
  "ldr " d ", [" spare ", r2, lsl #1]\n"       \
  "sxtb16 " a ", " a rotation "\n"             \
  "sxtb16 " b ", " b rotation "\n"             \
  "sxtb16 " c ", " c rotation "\n"             \
  "sxtb16 " d ", " d rotation "\n"             \
  "ssub16 " a ", " a ", " c "\n"               \
  "sadd16 " spare ", " b ", " c "\n"           \
  "ssub16 " d ", " b ", " d "\n"               \
  "ssub16 " c ", " c ", " b "\n"

/* Writes four positions; spare is lost. */
#define WRITE(a, b, c, d, spare)         \
  "add " spare ", r3, r12\n"             \
  "str " a ", [r3]\n"                    \
  "str " b ", [r3, r12]\n"               \
  "str " c ", [r3, r12, lsl #1]\n"       \
  "str " d ", [" spare ", r12, lsl #1]\n" \
  "add r3, r3, r12, lsl #2\n"

/* Two of four channels. Leaves r0 three rows further and r3 sixteen positions. */
#define TRANSFORM(rotation)                     \
  ROW(rotation, "r4", "r5", "r6", "r7", "r8")   \
  "add r0, r0, r1, lsl #1\n"                    \
  ROW(rotation, "r5", "r9", "r10", "r11", "lr") \
  "ssub16 r4, r4, r5\n"                         \
  "ssub16 r8, r8, lr\n"                         \
  "ssub16 r6, r6, r10\n"                        \
  "ssub16 r7, r7, r11\n"                        \
  WRITE("r4", "r8", "r6", "r7", "r9")           \
  "sub r0, r1\n"                                \
  ROW(rotation, "r4", "r9", "r6", "r7", "r8")   \
  "sadd16 r9, r4, r5\n"                         \
  "ssub16 r5, r5, r4\n"                         \
  "str r9, [r3]\n"                              \
  "sadd16 r9, r8, lr\n"                         \
  "ssub16 lr, lr, r8\n"                         \
  "str r9, [r3, r12]\n"                         \
  "sadd16 r9, r6, r10\n"                        \
  "ssub16 r10, r10, r6\n"                       \
  "str r9, [r3, r12, lsl #1]\n"                 \
  "add r3, r12\n"                               \
  "sadd16 r9, r7, r11\n"                        \
  "ssub16 r11, r11, r7\n"                       \
  "str r9, [r3, r12, lsl #1]\n"                 \
  "add r3, r3, r12, lsl #1\n"                   \
  "add r3, r12\n"                               \
  WRITE("r5", "lr", "r10", "r11", "r9")         \
  "add r0, r0, r1, lsl #1\n"                    \
  ROW(rotation, "r5", "r9", "r10", "r11", "lr") \
  "ssub16 r4, r4, r5\n"                         \
  "ssub16 r8, r8, lr\n"                         \
  "ssub16 r6, r6, r10\n"                        \
  "ssub16 r7, r7, r11\n"                        \
  WRITE("r4", "r8", "r6", "r7", "r9")

__attribute__((naked)) void ps_winograd_transform_2x2(PS_UNUSED const ps_winograd_patch *patch) {
  __asm__(
      "push {r4-r11, lr}\n"
      "sub sp, #12\n"
      "ldm r0, {r4-r9}\n"
      /* sp: fours, pixels, where they go */
      "str r9, [sp]\n"
      "mov r0, r4\n"
      "mov r1, r5\n"
      "mov r2, r6\n"
      "mov r3, r7\n"
      "mov r12, r8\n"
      "1:\n"
      "strd r0, r3, [sp, #4]\n");
  __asm__(TRANSFORM(""));
  __asm__(
      "ldrd r0, r3, [sp, #4]\n"
      "add r3, #8\n");
  __asm__(TRANSFORM(", ror #8"));
  __asm__(
      "ldm sp, {r4, r5, r6}\n"
      "add r0, r5, #4\n"
      "add r3, r6, #16\n"
      "subs r4, #1\n"
      "str r4, [sp]\n"
      "bne 1b\n"
      "add sp, #12\n"
      "pop {r4-r11, pc}\n");
}

/* Sums of a position's column: a becomes that of the upper outputs, b of the lower. */
#define COLUMN(column, a, b, c, d)                   \
  "ldr.w " a ", [r0, #32 * " column "]\n"            \
  "ldr.w " b ", [r0, #32 * " column " + 128]\n"      \
  "ldr.w " c ", [r0, #32 * " column " + 256]\n"      \
  "ldr.w " d ", [r0, #32 * " column " + 384]\n"      \
  "add " a ", " b "\n"                               \
  "sub " b ", " c "\n"                               \
  "add " a ", " c "\n"                               \
  "sub " b ", " d "\n"

#define SCALE(a, b)                      \
  "add " a ", r8, " a ", asr #1\n"       \
  "add " b ", r8, " b ", asr #1\n"       \
  "smmulr " a ", " a ", r9\n"            \
  "smmulr " b ", " b ", r9\n"            \
  "add " a ", " a ", " a ", asr #31\n"   \
  "add " b ", " b ", " b ", asr #31\n"   \
  "add " a ", r10\n"                     \
  "add " b ", r10\n"                     \
  "asr " a ", r11\n"                     \
  "asr " b ", r11\n"                     \
  "ssat " a ", #8, " a "\n"              \
  "ssat " b ", #8, " b "\n"

/* r0: sums, r1: output, r2: right, r3: down, r12: patches, lr: to the next sums; r4 to r7: outputs. */
__attribute__((naked)) void ps_winograd_finish_2x2(PS_UNUSED const ps_winograd_outputs *outputs) {
  __asm__(
      "push {r4-r11, lr}\n"
      "sub sp, #20\n"
      "ldm r0!, {r4-r11}\n"
      "stm sp, {r8-r11}\n"
      "ldr r2, [r0]\n"
      "ldr r3, [r0, #12]\n"
      "mov r0, r4\n"
      "mov r1, r5\n"
      "mov r12, r6\n"
      "mov lr, r7\n"
      "1:\n");
  __asm__(COLUMN("0", "r4", "r5", "r6", "r7") COLUMN("1", "r6", "r7", "r8", "r9"));
  __asm__(
      "add r4, r6\n"
      "add r5, r7\n");
  __asm__(COLUMN("2", "r8", "r9", "r10", "r11"));
  __asm__(
      "add r4, r8\n"
      "sub r6, r8\n"
      "add r5, r9\n"
      "sub r7, r9\n");
  __asm__(COLUMN("3", "r8", "r9", "r10", "r11"));
  __asm__(
      "sub r6, r8\n"
      "sub r7, r9\n"
      "ldm sp, {r8-r11}\n"
      "add r0, lr\n");
  __asm__(SCALE("r5", "r7") SCALE("r4", "r6"));
  __asm__(
      "add r8, r1, r3\n"
      "rsb lr, #512\n"
      "strb r7, [r8, r2]\n"
      "strb r5, [r8]\n"
      "strb r6, [r1, r2]\n"
      "strb r4, [r1]\n"
      "add r1, r1, r2, lsl #1\n"
      "subs r12, #1\n"
      "bne 1b\n"
      "add sp, #20\n"
      "pop {r4-r11, pc}\n");
}

#else

/* One row of a patch, transformed; two channels in a word. */
typedef struct row {
  uint32_t at[SIDE];
} row;

static row transform_row(const int8_t *pixels, int32_t step, int is_odd) {
  uint32_t column[SIDE];
  row out;
  for (int32_t x = 0; x < SIDE; ++x) {
    const uint32_t word = ps_load_word(pixels + x * step);
    column[x] = is_odd ? ps_odd_bytes(word) : ps_even_bytes(word);
  }
  out.at[0] = ps_subtract_pairs(column[0], column[2]);
  out.at[1] = ps_add_pairs(column[1], column[2]);
  out.at[2] = ps_subtract_pairs(column[2], column[1]);
  out.at[3] = ps_subtract_pairs(column[1], column[3]);
  return out;
}

void ps_winograd_transform_2x2(const ps_winograd_patch *patch) {
  const int32_t position_step = patch->position_step / 4;
  for (int32_t pair = 0; pair < 2 * patch->fours; ++pair) {
    const int8_t *pixels = patch->pixels + pair / 2 * 4;
    uint32_t *to = patch->patch + 2 * pair;
    row rows[SIDE];
    for (int32_t y = 0; y < SIDE; ++y) {
      rows[y] = transform_row(pixels + y * patch->row_step, patch->step, pair % 2);
    }
    for (int32_t x = 0; x < SIDE; ++x) {
      to[x * position_step] = ps_subtract_pairs(rows[0].at[x], rows[2].at[x]);
      to[(SIDE + x) * position_step] = ps_add_pairs(rows[1].at[x], rows[2].at[x]);
      to[(2 * SIDE + x) * position_step] = ps_subtract_pairs(rows[2].at[x], rows[1].at[x]);
      to[(3 * SIDE + x) * position_step] = ps_subtract_pairs(rows[1].at[x], rows[3].at[x]);
    }
  }
}

/* Returns an output. sum: four times that of products, modulo 2^32. */
static int8_t make_output(const ps_winograd_outputs *outputs, uint32_t sum) {
  const ps_dsp_scaling scaling = {0, outputs->multiplier, outputs->rounding, outputs->shift};
  return ps_scale_doubled(&scaling, ((int32_t)sum >> 1) + outputs->bias);
}

void ps_winograd_finish_2x2(const ps_winograd_outputs *outputs) {
  const uint32_t *sums = outputs->sums;
  int32_t next = outputs->next;
  int8_t *output = outputs->output;
  for (int32_t patch = 0; patch < outputs->count; ++patch) {
    uint32_t upper[SIDE];
    uint32_t lower[SIDE];
    for (int32_t x = 0; x < SIDE; ++x) {
      const uint32_t second = sums[(SIDE + x) * PITCH];
      const uint32_t third = sums[(2 * SIDE + x) * PITCH];
      upper[x] = sums[x * PITCH] + second + third;
      lower[x] = second - third - sums[(3 * SIDE + x) * PITCH];
    }
    output[outputs->down[0] + outputs->right[0]] = make_output(outputs, lower[1] - lower[2] - lower[3]);
    output[outputs->down[0]] = make_output(outputs, lower[0] + lower[1] + lower[2]);
    output[outputs->right[0]] = make_output(outputs, upper[1] - upper[2] - upper[3]);
    output[0] = make_output(outputs, upper[0] + upper[1] + upper[2]);
    output += 2 * outputs->right[0];
    sums += next / 4;
    next = 8 * 4 * SIDE * SIDE - next;
  }
}

#endif
