/* The transforms of Winograd F(2x2, 3x3). Internal to ps_conv_2d_winograd_dsp_s8. */
#ifndef PENSTOCK_WINOGRAD_3X3_H
#define PENSTOCK_WINOGRAD_3X3_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All fields are words, in the order in which the code loads them. */
typedef struct ps_winograd_patch {
  const int8_t *pixels; /* 4x4 */
  int32_t row_step;     /* elements from row to row */
  int32_t step;         /* from pixel to pixel */
  uint32_t *patch;      /* of the first position, every other word */
  int32_t position_step; /* bytes from one position to the next */
  int32_t fours;        /* of channels; at least 1 */
} ps_winograd_patch;

/* Transforms a patch, two channels to a word. */
void ps_winograd_transform(const ps_winograd_patch *patch);

enum {
  PS_WINOGRAD_BESIDE = 16,  /* bytes from the sums of a patch to those of the other of two */
  PS_WINOGRAD_BEHIND = 496, /* from those of the other to the next two: of 512 */
  PS_WINOGRAD_TOGGLE = PS_WINOGRAD_BESIDE ^ PS_WINOGRAD_BEHIND /* 480, also in assembly */
};

/* Patches beside one another, one output channel. */
typedef struct ps_winograd_outputs {
  const uint32_t *sums; /* of the first patch; positions are 8 words apart */
  int8_t *output;       /* 2x2 of the first patch */
  int32_t right;        /* elements from pixel to pixel; 0 where there is no other */
  int32_t down;         /* from row to row; 0 where there is no other */
  int32_t count;        /* of patches; 1 where right is 0 */
  int32_t next;         /* bytes to the sums of the next patch: PS_WINOGRAD_BESIDE, then
                           PS_WINOGRAD_BEHIND, or the other way round */
  int32_t bias;         /* twice that of the channel */
  int32_t multiplier;   /* these three as in ps_dsp_scaling */
  int32_t rounding;
  int32_t shift;
} ps_winograd_outputs;

/* Makes outputs of sums. Those that do not exist go where others are written behind them. */
void ps_winograd_finish(const ps_winograd_outputs *outputs);

#ifdef __cplusplus
}
#endif

#endif
