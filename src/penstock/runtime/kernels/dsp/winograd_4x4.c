/* The transforms of Winograd F(4x4, 3x3).
 *
 * Two channels share a word, and both are transformed by plain additions: words hold first + 2^16 *
 * second, so that their sums, multiples too, are those of both. What is left is that a negative first
 * takes one from the second, and so channels count from -128 on, and each first is made larger by
 * as much as it can be negative.
 */
#include "penstock/dsp.h"
#include "penstock/dsp_scaling.h"
#include "penstock/winograd.h"

/* 255 times 50: the most that one transform after the other takes from a channel. */
#define OFFSET 12750
/* 9 times this is 1 modulo 2^32. */
#define NINTH 954437177
/* A constant as assembly writes it. */
#define TEXT(constant) TEXT_OF(constant)
#define TEXT_OF(text) #text

enum { TILE = 4, SIDE = 6, PITCH = 8 };

#if PS_HAS_DSP

/* Transforms r4 to r9 by the rows (4, 0, -5, 0, 1, 0), (0, -4, -4, 1, 1, 0), (0, 4, -4, -1, 1, 0),
 * (0, -2, -1, 2, 1, 0), (0, 2, -1, -2, 1, 0) and (0, 4, 0, -5, 0, 1). r10, r11 and lr are lost. */
#define SIX                        \
  "sub r10, r8, r6, lsl #2\n"      \
  "sub r11, r7, r5, lsl #2\n"      \
  "sub r4, r4, r6\n"               \
  "sub lr, r7, r5\n"               \
  "sub r8, r8, r6\n"               \
  "sub r9, r9, r7\n"               \
  "add r5, r10, r11\n"             \
  "sub r6, r10, r11\n"             \
  "add r4, r8, r4, lsl #2\n"       \
  "add r7, r8, lr, lsl #1\n"       \
  "sub r8, r8, lr, lsl #1\n"       \
  "sub r9, r9, lr, lsl #2\n"

/* Two of four channels; rotation picks them. r0: pixels, r1: to the next row, r2: to the next
 * pixel, r3: words of the first position. The rows come first, to the stack. */
#define TRANSFORM(rotation)           \
  "mov r12, #0x00800080\n"            \
  "mov r3, sp\n"                      \
  "1:\n"                              \
  "add lr, r0, r2\n"                  \
  "ldr.w r4, [r0]\n"                  \
  "ldr.w r5, [r0, r2]\n"              \
  "ldr.w r6, [r0, r2, lsl #1]\n"      \
  "ldr.w r7, [lr, r2, lsl #1]\n"      \
  "ldr.w r8, [r0, r2, lsl #2]\n"      \
  "ldr.w r9, [lr, r2, lsl #2]\n"      \
  "add r0, r1\n"                      \
  "sxtab16 r4, r12, r4" rotation "\n" \
  "sxtab16 r5, r12, r5" rotation "\n" \
  "sxtab16 r6, r12, r6" rotation "\n" \
  "sxtab16 r7, r12, r7" rotation "\n" \
  "sxtab16 r8, r12, r8" rotation "\n" \
  "sxtab16 r9, r12, r9" rotation "\n" \
  SIX                                 \
  "stm r3!, {r4-r9}\n"                \
  "add lr, sp, #144\n"                \
  "cmp r3, lr\n"                      \
  "bne 1b\n"                          \
  "movw r12, #" TEXT(OFFSET) "\n"     \
  "mov r3, sp\n"                      \
  "ldrd r0, r1, [sp, #144]\n"         \
  "ldr r2, [sp, #152]\n"              \
  "2:\n"                              \
  "ldr.w r4, [r3]\n"                  \
  "ldr.w r5, [r3, #24]\n"             \
  "ldr.w r6, [r3, #48]\n"             \
  "ldr.w r7, [r3, #72]\n"             \
  "ldr.w r8, [r3, #96]\n"             \
  "ldr.w r9, [r3, #120]\n"            \
  "add r3, #4\n"                      \
  "add r8, r12\n"                     \
  "add r9, r12\n"                     \
  SIX                                 \
  "add lr, r0, r2\n"                  \
  "str r4, [r0]\n"                    \
  "str r5, [r0, r2]\n"                \
  "str r6, [r0, r2, lsl #1]\n"        \
  "str r7, [lr, r2, lsl #1]\n"        \
  "str r8, [r0, r2, lsl #2]\n"        \
  "str r9, [lr, r2, lsl #2]\n"        \
  "add lr, sp, #24\n"                 \
  "add r0, r1\n"                      \
  "cmp r3, lr\n"                      \
  "bne 2b\n"

__attribute__((naked)) void ps_winograd_transform_4x4(PS_UNUSED const ps_winograd_patch *patch) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: 36 words; where they go, to the next position and the next row of these, pixels, to the
       * next row, to the next pixel, fours */
      "sub sp, #172\n"
      "ldm r0, {r4-r9}\n"
      "add r10, r8, r8, lsl #1\n"
      "lsl r10, #1\n"
      "strd r7, r8, [sp, #144]\n"
      "strd r10, r4, [sp, #152]\n"
      "strd r5, r6, [sp, #160]\n"
      "str r9, [sp, #168]\n"
      "3:\n"
      "ldrd r0, r1, [sp, #156]\n"
      "ldr r2, [sp, #164]\n");
  __asm__(TRANSFORM(""));
  __asm__(
      "ldr r3, [sp, #144]\n"
      "ldrd r0, r1, [sp, #156]\n"
      "ldr r2, [sp, #164]\n"
      "add r3, #8\n"
      "str r3, [sp, #144]\n");
  __asm__(TRANSFORM(", ror #8"));
  __asm__(
      "ldr r3, [sp, #144]\n"
      "ldr r0, [sp, #156]\n"
      "ldr r4, [sp, #168]\n"
      "add r3, #8\n"
      "add r0, #4\n"
      "str r3, [sp, #144]\n"
      "str r0, [sp, #156]\n"
      "subs r4, #1\n"
      "str r4, [sp, #168]\n"
      "bne 3b\n"
      "add sp, #172\n"
      "pop {r4-r11, pc}\n");
}

/* Makes four of r4 to r9, in r4 to r7, by the rows (1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0),
 * (0, 1, 1, 4, 4, 0) and (0, 1, -1, 8, -8, 2). r10 to r12 and lr are lost. */
#define FOUR                      \
  "add r10, r5, r6\n"             \
  "sub r11, r5, r6\n"             \
  "add r12, r7, r8\n"             \
  "sub lr, r7, r8\n"              \
  "add r4, r4, r10\n"             \
  "add r5, r11, lr, lsl #1\n"     \
  "add r6, r10, r12, lsl #2\n"    \
  "add r7, r11, lr, lsl #3\n"     \
  "add r4, r4, r12\n"             \
  "add r7, r7, r9, lsl #1\n"

/* Makes outputs of two sums; r10: multiplier, r11: rounding, r12: shift. Halves are rounded by the sign
 * of the sum, not of the product, which is 0 where these differ, and so is the output. */
#define SCALE(a, b)                         \
  "smmlar r8, " a ", r10, r11\n"            \
  "smmlar r9, " b ", r10, r11\n"            \
  "add " a ", r8, " a ", asr #31\n"         \
  "add " b ", r9, " b ", asr #31\n"         \
  "asr " a ", r12\n"                        \
  "asr " b ", r12\n"                        \
  "ssat " a ", #8, " a "\n"                 \
  "ssat " b ", #8, " b "\n"

/* Columns first, to the stack; then rows, from the last to the first. */
__attribute__((naked)) void ps_winograd_finish_4x4(PS_UNUSED const ps_winograd_outputs *outputs) {
  __asm__(
      "push {r4-r11, lr}\n"
      /* sp: 24 words; a ninth, bias, multiplier, rounding, shift, right; down, before it 0; count,
       * next, sums */
      "sub sp, #156\n"
      "ldm r0!, {r4-r11}\n"
      "strd r6, r7, [sp, #144]\n"
      "str r4, [sp, #152]\n"
      "mov r1, r5\n"
      "ldm r0, {r2-r7}\n"
      "movw r12, #" TEXT(NINTH) " & 0xffff\n"
      "movt r12, #" TEXT(NINTH) " >> 16\n"
      "mov lr, #0\n"
      "strd r12, r8, [sp, #96]\n"
      "strd r9, r10, [sp, #104]\n"
      "strd r11, r2, [sp, #112]\n"
      "strd r3, r4, [sp, #120]\n"
      "strd lr, r5, [sp, #128]\n"
      "strd r6, r7, [sp, #136]\n"
      "1:\n" /* a patch */
      "ldr r0, [sp, #152]\n"
      "mov r3, sp\n"
      "add r2, sp, #24\n"
      "2:\n" /* a column */
      "ldr.w r4, [r0]\n"
      "ldr.w r5, [r0, #192]\n"
      "ldr.w r6, [r0, #384]\n"
      "ldr.w r7, [r0, #576]\n"
      "ldr.w r8, [r0, #768]\n"
      "ldr.w r9, [r0, #960]\n"
      "add r0, #32\n"
      FOUR
      "str r5, [r3, #24]\n"
      "str r6, [r3, #48]\n"
      "str r7, [r3, #72]\n"
      "str r4, [r3], #4\n"
      "cmp r3, r2\n"
      "bne 2b\n"
      "add r3, sp, #72\n"
      "sub r2, sp, #24\n"
      "add r0, sp, #144\n"
      "3:\n" /* a row */
      "ldm r3, {r4-r9}\n"
      FOUR
      "add lr, sp, #96\n"
      "ldm lr!, {r8-r12}\n"
      "mul r4, r8, r4\n"
      "mul r5, r8, r5\n"
      "mul r6, r8, r6\n"
      "mul r7, r8, r7\n"
      "add r4, r9, r4, asr #5\n"
      "add r5, r9, r5, asr #5\n"
      "add r6, r9, r6, asr #5\n"
      "add r7, r9, r7, asr #5\n"
      SCALE("r4", "r5")
      SCALE("r6", "r7")
      "ldm lr, {r8-r10}\n"
      "ldr r11, [r0, #-4]!\n"
      "sub r3, #24\n"
      "add r11, r1\n"
      "cmp r3, r2\n"
      "strb r7, [r11, r10]\n"
      "strb r6, [r11, r9]\n"
      "strb r5, [r11, r8]\n"
      "strb r4, [r11]\n"
      "bne 3b\n"
      "ldrd r4, r5, [sp, #144]\n"
      "ldr r0, [sp, #152]\n"
      "add r1, r1, r8, lsl #2\n"
      "add r0, r5\n"
      "rsb r5, r5, #1152\n"
      "str r0, [sp, #152]\n"
      "subs r4, #1\n"
      "strd r4, r5, [sp, #144]\n"
      "bne 1b\n"
      "add sp, #156\n"
      "pop {r4-r11, pc}\n");
}

#else

/* Transforms six words, step apart. */
static void transform_six(const uint32_t *from, int32_t step, uint32_t *to, int32_t to_step) {
  const uint32_t a = from[4 * step] - 4 * from[2 * step];
  const uint32_t b = from[3 * step] - 4 * from[step];
  const uint32_t c = from[4 * step] - from[2 * step];
  const uint32_t d = from[3 * step] - from[step];
  to[0] = c + 4 * (from[0] - from[2 * step]);
  to[to_step] = a + b;
  to[2 * to_step] = a - b;
  to[3 * to_step] = c + 2 * d;
  to[4 * to_step] = c - 2 * d;
  to[5 * to_step] = from[5 * step] - from[3 * step] - 4 * d;
}

void ps_winograd_transform_4x4(const ps_winograd_patch *patch) {
  const int32_t position_step = patch->position_step / 4;
  for (int32_t pair = 0; pair < 2 * patch->fours; ++pair) {
    uint32_t rows[SIDE * SIDE];
    for (int32_t y = 0; y < SIDE; ++y) {
      uint32_t pixels[SIDE];
      for (int32_t x = 0; x < SIDE; ++x) {
        const uint32_t word =
            ps_load_word(patch->pixels + pair / 2 * 4 + y * patch->row_step + x * patch->step);
        pixels[x] = pair % 2 == 0 ? ps_widen_even(0x00800080U, word) : ps_widen_odd(0x00800080U, word);
      }
      transform_six(pixels, 1, rows + SIDE * y, 1);
    }
    for (int32_t x = 0; x < SIDE; ++x) {
      rows[4 * SIDE + x] += OFFSET;
      rows[5 * SIDE + x] += OFFSET;
      transform_six(rows + x, SIDE, patch->patch + 2 * pair + x * position_step, SIDE * position_step);
    }
  }
}

/* Makes four of six sums, step apart. */
static void make_four(const uint32_t *from, int32_t step, uint32_t *to, int32_t to_step) {
  const uint32_t a = from[step] + from[2 * step];
  const uint32_t b = from[step] - from[2 * step];
  const uint32_t c = from[3 * step] + from[4 * step];
  const uint32_t d = from[3 * step] - from[4 * step];
  to[0] = from[0] + a + c;
  to[to_step] = b + 2 * d;
  to[2 * to_step] = a + 4 * c;
  to[3 * to_step] = b + 8 * d + 2 * from[5 * step];
}

void ps_winograd_finish_4x4(const ps_winograd_outputs *outputs) {
  const ps_dsp_scaling scaling = {0, outputs->multiplier, outputs->rounding, outputs->shift};
  const uint32_t *sums = outputs->sums;
  int32_t next = outputs->next;
  int8_t *output = outputs->output;
  for (int32_t patch = 0; patch < outputs->count; ++patch) {
    uint32_t columns[TILE * SIDE];
    for (int32_t x = 0; x < SIDE; ++x) {
      make_four(sums + x * PITCH, SIDE * PITCH, columns + x, SIDE);
    }
    for (int32_t y = TILE - 1; y >= 0; --y) {
      int8_t *const row = output + (y == 0 ? 0 : outputs->down[y - 1]);
      uint32_t of_row[TILE];
      make_four(columns + SIDE * y, 1, of_row, 1);
      for (int32_t x = TILE - 1; x >= 0; --x) {
        const int32_t doubled = (int32_t)(of_row[x] * NINTH) >> 5;
        row[x == 0 ? 0 : outputs->right[x - 1]] =
            ps_scale_doubled(&scaling, outputs->bias + doubled);
      }
    }
    output += TILE * outputs->right[0];
    sums += next / 4;
    next = 4 * PITCH * SIDE * SIDE - next;
  }
}

#endif
